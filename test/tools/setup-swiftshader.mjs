// Gives the npm package `webgpu` (Dawn for Node.js) a CPU adapter on Linux x64 without a GPU, a system
// Vulkan driver, root rights or the network: it unpacks SwiftShader and the Vulkan loader that the npm
// package @sparticuz/chromium carries (bin/swiftshader.tar.br).
//
//   node test/tools/setup-swiftshader.mjs [project root, default: the current folder]
//
// Writes   <root>/node_modules/.cache/swiftshader/{libvk_swiftshader.so,libvulkan.so.1,vk_swiftshader_icd.json}
//          <webgpu>/dist/linux-x64/libvulkan.so.1   (Dawn looks for the loader beside dawn.node first)
// Prints   the path of the ICD file. vitest.config.ts points VK_DRIVER_FILES to it.
// Running it again replaces the same files; a reinstall of `webgpu` makes another run necessary. On other
// systems it does nothing: Dawn finds Metal or D3D12 there, or the tests that need an adapter say so.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { tarEntries } from "./tar.mjs";

const WANTED = ["libvk_swiftshader.so", "libvulkan.so.1", "vk_swiftshader_icd.json"];
const root = resolve(process.argv[2] ?? ".");

/**
 * Path of `file` inside the npm package `name`, searched in node_modules from the root upwards.
 * @param {string} name
 * @param {string} file
 */
function inPackage(name, file) {
  for (let dir = root; ; dir = dirname(dir)) {
    const path = join(dir, "node_modules", name, file);
    if (existsSync(path)) return path;
    if (dir === dirname(dir))
      throw new Error(`${name}/${file} not found in node_modules at or above ${root}`);
  }
}

/**
 * Replaces a file by renaming, so that a process which has the old one mapped keeps it.
 * @param {string} path
 * @param {Uint8Array} contents
 */
function put(path, contents) {
  writeFileSync(`${path}.${process.pid}`, contents);
  renameSync(`${path}.${process.pid}`, path);
}

function main() {
  if (process.platform !== "linux" || process.arch !== "x64") {
    console.log(`setup-swiftshader: nothing to do on ${process.platform} ${process.arch}`);
    return;
  }
  const archive = inPackage("@sparticuz/chromium", "bin/swiftshader.tar.br");
  const dawn = inPackage("webgpu", "dist/linux-x64/dawn.node");
  const out = join(root, "node_modules/.cache/swiftshader");
  mkdirSync(out, { recursive: true });

  const missing = new Set(WANTED);
  for (const [name, contents] of tarEntries(brotliDecompressSync(readFileSync(archive))))
    if (missing.delete(name)) put(join(out, name), contents);
  if (missing.size > 0) throw new Error(`${archive} lacks ${[...missing].join(", ")}`);

  put(join(dirname(dawn), "libvulkan.so.1"), readFileSync(join(out, "libvulkan.so.1")));
  console.log(join(out, "vk_swiftshader_icd.json"));
}

try {
  main();
} catch (error) {
  console.error(`setup-swiftshader: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
