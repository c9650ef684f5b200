/** HTML in which everything is escaped that is not markup itself: names come from users. */

/** Text that is HTML already. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Part = string | number | Markup | readonly Part[] | undefined;

const entities: { readonly [character: string]: string } = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

// Control characters are no HTML and no XML.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to take out
const unprintable = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

export const escapeText = (text: string): string =>
  text
    .replaceAll(/[&<>"']/g, (character) => entities[character] as string)
    .replaceAll(unprintable, "\ufffd");

function render(part: Part): string {
  if (part === undefined) return "";
  if (part instanceof Markup) return part.text;
  if (typeof part === "string" || typeof part === "number") return escapeText(String(part));
  return part.map(render).join("");
}

/** A template whose holes are escaped, lists joined, markup kept. */
export function markup(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  let text = strings[0] as string;
  for (const [i, part] of parts.entries()) text += render(part) + (strings[i + 1] as string);
  return new Markup(text);
}
