/** Numbers in place of texts and maps: the same numbers for the same things, whatever came before. */
import * as fc from "fast-check";
import { expect, test } from "vitest";

import { Lists, Words } from "../src/simplify/key.ts";
import { ValueNumbers, valueNow, valuesNow } from "../src/tensor/value-numbers.ts";

const wordsOf = (list: readonly number[]): Words => {
  const words = new Words();
  for (const word of list) words.push(word);
  return words;
};

test("lists have one number exactly where they hold the same words", () => {
  const list = fc.array(fc.oneof(fc.integer(), fc.integer({ min: 0, max: 2 })), { maxLength: 40 });
  fc.assert(
    fc.property(fc.array(list, { maxLength: 200 }), (given) => {
      const lists = new Lists();
      const known = new Map<string, number>();
      for (const each of given) {
        const text = each.join();
        const expected = known.get(text) ?? known.size;
        known.set(text, expected);
        expect(lists.numberOf(wordsOf(each))).toBe(expected);
      }
      expect(lists.size).toBe(known.size);
    }),
  );
});

test("numbers of values are those of a map, by list or by map, beyond the values that there were", () => {
  const value = fc.nat({ max: 3000 });
  const steps = fc.array(fc.tuple(value, fc.nat({ max: 2 ** 31 - 2 })), { maxLength: 100 });
  fc.assert(
    fc.property(fc.nat({ max: 1000 }), fc.nat({ max: 100 }), steps, (room, count, given) => {
      const numbers = new ValueNumbers(room, count);
      const expected = new Map<number, number>();
      for (const [at, number] of given) {
        numbers.set(at, number);
        expected.set(at, number);
      }
      for (let at = 0; at <= 3000; at += 7) expect(numbers.get(at)).toBe(expected.get(at) ?? -1);
      for (const [at, number] of expected) expect(numbers.get(at)).toBe(number);
    }),
  );
});

test("a list of values of which none has changed stays the same object", () => {
  const now = new ValueNumbers(10, 10);
  now.set(3, 8);
  const unchanged = [1, 2];
  expect(valuesNow(now, unchanged)).toBe(unchanged);
  expect(valuesNow(now, [1, 3, 2])).toEqual([1, 8, 2]);
  expect(valueNow(now, 3)).toBe(8);
  expect(valueNow(now, 5)).toBe(5);
});
