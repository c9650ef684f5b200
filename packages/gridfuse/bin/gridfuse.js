#!/usr/bin/env node
import module from "node:module";

// From Node 22 on the code of the compiler is kept compiled between runs; NODE_DISABLE_COMPILE_CACHE=1 says no.
if (process.env.GRIDFUSE_CACHE !== "off") module.enableCompileCache?.();
await import("../dist/packed/cli.js");
