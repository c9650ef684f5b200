/**
 * The types of the npm package `webgpu`. Its own declarations pull in @webgpu/types, which collide
 * with the WebGPU interfaces of TypeScript 6's DOM library; tsconfig.test.json maps it here.
 */
export function create(options: readonly string[]): GPU;
export const globals: Record<string, unknown>;
