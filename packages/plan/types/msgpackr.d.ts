/**
 * The part of msgpackr that is used here. Its own declarations need Node's globals, which this package, made for
 * browsers too, is compiled without.
 */
export class Packr {
  constructor(options: { useRecords: false; variableMapSize: true });
  pack(value: unknown): Uint8Array;
}
