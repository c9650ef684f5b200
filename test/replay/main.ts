/**
 * `npm run replay [-- --update] [NAME…]`: compiles every example again and says what a change of the compiler
 * did to its plan. Exits with 1 where plans differ; `--update` makes them the new snapshot.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { unifiedDiff } from "./diff.ts";
import { readSnapshot, writeSnapshot } from "./files.ts";
import { examples, figuresLine, type Recorded, record, type Snapshot } from "./snapshot.ts";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { update: { type: "boolean" } },
});
const root = join(process.cwd(), "test", "replay", "fixtures");
const known = readSnapshot(root);
const wanted = examples.filter(
  (name) => positionals.length === 0 || positionals.some((part) => name.includes(part)),
);

function show(name: string, before: Recorded | undefined, after: Recorded): boolean {
  if (before === undefined) {
    console.log(`${name}: new, ${figuresLine(after.figures)}`);
    return true;
  }
  const diff = unifiedDiff(before.text, after.text);
  if (diff.length === 0) return false;
  const [was, is] = [figuresLine(before.figures), figuresLine(after.figures)];
  console.log(`${name}: ${was === is ? is : `${was} → ${is}`}`);
  for (const line of diff) console.log(`  ${line}`);
  return true;
}

const made: Record<string, Recorded> = {};
let changed = 0;
for (const name of wanted) {
  const after = record(name);
  made[name] = after;
  if (show(name, known[name], after)) changed += 1;
}
const gone =
  positionals.length > 0 ? [] : Object.keys(known).filter((name) => !examples.includes(name));
for (const name of gone) console.log(`${name}: is no example any more`);
changed += gone.length;
console.log(`${wanted.length} plans, ${changed} changed`);

if (values.update === true) {
  const kept = Object.entries(known).filter(([name]) => !gone.includes(name));
  const snapshot: Snapshot = { ...Object.fromEntries(kept), ...made };
  writeSnapshot(root, snapshot);
} else if (changed > 0) {
  process.exitCode = 1;
}
