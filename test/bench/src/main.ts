/**
 * The benchmark runner behind `npm run bench`. It is compiled with the packages and runs on their
 * emitted JavaScript, as users do: `npm run bench -- [name…]` runs the named benchmarks.
 */

export interface Benchmark {
  readonly name: string;
  run(): Promise<void> | void;
}

const benchmarks: readonly Benchmark[] = [];

const wanted = new Set(process.argv.slice(2));
const chosen = benchmarks.filter(({ name }) => wanted.size === 0 || wanted.has(name));
if (chosen.length === 0) console.log("no benchmarks yet");
for (const benchmark of chosen) {
  const start = performance.now();
  await benchmark.run();
  console.log(`${benchmark.name}: ${(performance.now() - start).toFixed(1)} ms`);
}
