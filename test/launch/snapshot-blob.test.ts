import fc from "fast-check";
import { expect, test } from "vitest";
import { trimBlob } from "../../src/launch/snapshot-blob.ts";

/** As Node writes it: a number in 64 bits, and what is as long as it says. */
function counted(data: Buffer): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(data.length));
  return Buffer.concat([length, data]);
}

function moduleOf(name: string, code: Uint8Array): Buffer {
  return Buffer.concat([counted(Buffer.from(name)), counted(Buffer.from(code))]);
}

function blobOf(heap: Uint8Array, modules: readonly Buffer[]): Buffer {
  const count = Buffer.alloc(8);
  count.writeBigUInt64LE(BigInt(modules.length));
  return Buffer.concat([Buffer.from(heap), count, ...modules]);
}

const NETWORK = ["http", "https", "_http_client", "_tls_wrap", "tls", "internal/tls/secure-context"];
const name = fc.stringMatching(/^internal\/[a-z]{3,12}$/).filter((text) => !/^internal\/(tls|dns|http|fs)/.test(text));
const other = fc.array(fc.tuple(name, fc.uint8Array()), { minLength: 50, maxLength: 80 });

test("what no launch loads is cut out, whatever stands before it", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), other, fc.subarray(NETWORK), (heap, others, network) => {
      const kept = network.map((id) => moduleOf(id, Buffer.from(id)));
      const modules = others.map(([id, code]) => moduleOf(id, code));
      // Among the others, as Node has them.
      const mixed = [...modules.slice(0, 20), ...kept, ...modules.slice(20)];
      expect(trimBlob(blobOf(heap, mixed))?.equals(blobOf(heap, kept))).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test("what does not end as it should is left alone", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), other, fc.nat(), (heap, others, at) => {
      const whole = blobOf(
        heap,
        others.map(([id, code]) => moduleOf(id, code)),
      );
      const start = heap.length + 1;
      const cut = start + (at % (whole.length - start));
      expect(trimBlob(whole.subarray(0, cut))).toBeUndefined();
      expect(trimBlob(Buffer.concat([whole, Buffer.from("x")]))).toBeUndefined();
    }),
    { numRuns: 100 },
  );
  expect(trimBlob(Buffer.alloc(0))).toBeUndefined();
  expect(trimBlob(Buffer.alloc(10_000))).toBeUndefined();
});
