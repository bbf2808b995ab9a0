/**
 * V8 gives a context the array methods of ES2023 only when it is made or brought back, not yet while a snapshot is
 * built, and fails where they are there already when it brings one back. So they are lent to the rehearsal, and taken
 * away before the snapshot is written. This file is imported before anything that may use them.
 */
const LENT: Readonly<Record<string, (this: unknown[], argument: never) => unknown[]>> = {
  toReversed() {
    return Array.from(this).reverse();
  },
  toSorted(compare: (a: unknown, b: unknown) => number) {
    return Array.from(this).sort(compare);
  },
};

const lent = Object.keys(LENT).filter((name) => !(name in Array.prototype));
for (const name of lent) {
  Object.defineProperty(Array.prototype, name, { value: LENT[name], configurable: true, writable: true });
}

export function takeBackArrayMethods(): void {
  for (const name of lent) Reflect.deleteProperty(Array.prototype, name);
}
