/** Serves files with the headers that a test wants, and takes the one answer that a page posts. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname } from "node:path";

export type Files = ReadonlyMap<string, string | Uint8Array>;

export interface Site<T> {
  readonly url: string;
  /** What the page posted, parsed; what it threw, thrown. */
  readonly answer: Promise<T>;
  close(): void;
}

const types: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".plan": "application/octet-stream",
};

export async function serve<T>(
  files: Files,
  headers: Readonly<Record<string, string>>,
): Promise<Site<T>> {
  let settle: (posted: { readonly value?: T; readonly error?: string }) => void;
  const answer = new Promise<T>((resolve, reject) => {
    settle = ({ value, error }) =>
      error === undefined ? resolve(value as T) : reject(new Error(error));
  });
  const server = createServer((request, response) => {
    if (request.method === "POST") {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        response.end();
        settle(JSON.parse(Buffer.concat(chunks).toString()));
      });
      return;
    }
    const path = new URL(request.url ?? "/", "http://localhost").pathname.slice(1);
    const contents = files.get(path);
    response.writeHead(contents === undefined ? 404 : 200, {
      "content-type": types[extname(path)] ?? "text/plain",
      ...headers,
    });
    response.end(contents);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, answer, close: () => void server.close() };
}
