import fc from "fast-check";
import { expect, test } from "vitest";
import { trimBlob } from "../../src/launch/snapshot-blob.ts";

/** As Node writes it: a number in 64 bits, and what is as long as it says. */
function counted(data: Buffer): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(data.length));
  return Buffer.concat([length, data]);
}

/** As V8 writes it: four words, of which the last tells its flags, and what was compiled. */
function codeOf(source: string, flags: string, compiled: string): Buffer {
  return Buffer.from(`V8--1.0-${source.padEnd(4).slice(0, 4)}${flags}${compiled}`);
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
const UNUSED = ["_http_server", "internal/tls/secure-pair"];
const name = fc.stringMatching(/^internal\/[a-z]{3,12}$/).filter((text) => !/^internal\/(tls|dns|http|fs)/.test(text));
const other = fc.array(fc.tuple(name, fc.uint8Array()), { minLength: 50, maxLength: 80 });
const heap = fc.uint8Array({ maxLength: 2000 });

test("what no launch loads is cut out, whatever stands before it, and the rest is whole", () => {
  fc.assert(
    fc.property(heap, heap, other, fc.subarray([...NETWORK, ...UNUSED]), (before, beforeWhole, others, network) => {
      const blob = (start: Uint8Array, flags: string, text: string) => {
        const kept = network.map((id) => moduleOf(id, codeOf(id, flags, `${text} of ${id}`)));
        const modules = others.map(([id, code]) => moduleOf(id, code));
        // Among the others, as Node has them.
        return blobOf(start, [...modules.slice(0, 20), ...kept, ...modules.slice(20)]);
      };
      const text = (id: string) => `${UNUSED.includes(id) ? "a part" : "all"} of ${id}`;
      const wanted = network.map((id) => moduleOf(id, codeOf(id, "lazy", text(id))));
      const trimmed = trimBlob(blob(before, "lazy", "a part"), blob(beforeWhole, "full", "all"));
      expect(trimmed?.equals(blobOf(before, wanted))).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test("what was compiled of another source, or by another V8, is not taken", () => {
  const others = Array.from({ length: 50 }, (_, index) => moduleOf(`internal/other${index}`, Buffer.from("x")));
  const own = moduleOf("http", codeOf("http", "lazy", "a part"));
  const blob = blobOf(Buffer.from("heap"), [...others, own]);
  for (const code of [codeOf("HTTP", "full", "all"), Buffer.from("V8--2.0-httpfullall"), Buffer.from("V8--")]) {
    const trimmed = trimBlob(blob, blobOf(Buffer.from("other"), [...others, moduleOf("http", code)]));
    expect(trimmed?.equals(blobOf(Buffer.from("heap"), [own]))).toBe(true);
  }
});

test("what does not end as it should is left alone", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), other, fc.nat(), (start, others, at) => {
      const whole = blobOf(
        start,
        others.map(([id, code]) => moduleOf(id, code)),
      );
      const first = start.length + 1;
      const cut = first + (at % (whole.length - first));
      for (const damaged of [whole.subarray(0, cut), Buffer.concat([whole, Buffer.from("x")])]) {
        expect(trimBlob(damaged, whole)).toBeUndefined();
        expect(trimBlob(whole, damaged)).toBeUndefined();
      }
    }),
    { numRuns: 100 },
  );
  expect(trimBlob(Buffer.alloc(0), Buffer.alloc(0))).toBeUndefined();
  expect(trimBlob(Buffer.alloc(10_000), Buffer.alloc(10_000))).toBeUndefined();
});
