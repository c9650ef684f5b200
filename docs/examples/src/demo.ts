/**
 * The tour that `npm run demo` runs: a kernel is traced, compiled into a plan and executed.
 * The front door is still being built, so for now the demo only shows that the workspace runs.
 */
import * as gridfuse from "gridfuse";

const names = Object.keys(gridfuse).sort();
console.log(`gridfuse on Node ${process.versions.node}`);
console.log(names.length > 0 ? `exports: ${names.join(", ")}` : "no public exports yet");
