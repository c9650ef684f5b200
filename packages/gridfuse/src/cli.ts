/** The `gridfuse` command. */
import { main } from "./main.ts";
import { styleFor } from "./terminal.ts";

// The exit code is set, not forced: output that is still on its way to a pipe must arrive.
process.exitCode = await main(process.argv.slice(2), {
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
  style: styleFor(process.env, process.stderr.isTTY === true),
});
