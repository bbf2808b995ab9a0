import fc from "fast-check";
import { expect, test } from "vitest";
import { LAUNCH_FAILED, Responder } from "../../src/launch/responder.ts";

function answers(...chunks: (string | Buffer)[]): unknown[] {
  const responder = new Responder("no server");
  const text = chunks.map((chunk) => responder.receive(Buffer.from(chunk))).join("") + responder.finish();
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as unknown);
}

const error = { code: LAUNCH_FAILED, message: "no server" };
const answer = (id: string | number) => ({ jsonrpc: "2.0", id, error });
const request = (id: string | number, method = "initialize") => JSON.stringify({ jsonrpc: "2.0", id, method });

test("every request is answered, in order, with its own id", () => {
  const lines = [request(1, "server/discover"), request("two"), request(0)].map((line) => `${line}\n`);
  expect(answers(lines.join(""))).toEqual([answer(1), answer("two"), answer(0)]);
});

test.each(["9007199254740993", "18446744073709551616", "1.0", "1e2", "-0", "0.10"])(
  "a number as id comes back as it was spelled: %s",
  (id) => {
    const line = `{"params":{"id":1,"x":"\\"id\\":2"},"id":${id},"jsonrpc":"2.0","method":"x"}`;
    const responder = new Responder("no server");
    expect(responder.receive(Buffer.from(`${line}\n[${line}]\n`)).match(/"id":[^,]*/g)).toEqual([
      `"id":${id}`,
      `"id":${id}`,
    ]);
  },
);

test("of two ids the last counts, as for every reader of JSON", () => {
  expect(answers('{"id":1,"method":"x","id":9007199254740993}')).toHaveLength(1);
  const responder = new Responder("no server");
  expect(responder.receive(Buffer.from('{"id":1,"method":"x","id":9007199254740993}\n'))).toContain(
    '"id":9007199254740993,',
  );
});

test("a line that begins with a byte order mark is a line", () => {
  expect(answers(`\u{FEFF}${request(1)}\n\u{FEFF}${request(2)}\n`)).toEqual([answer(1), answer(2)]);
});

test("a request of 5 MB is answered, whatever is in it", () => {
  const params = { text: 'a"\\1'.repeat(1_000_000), numbers: Array.from({ length: 100_000 }, (_, at) => at) };
  const line = JSON.stringify({ jsonrpc: "2.0", params, id: 7, method: "tools/call" });
  expect(answers(`${line}\n${request(8)}\n`)).toEqual([answer(7), answer(8)]);
});

test("the code is in no reserved range", () => {
  expect(LAUNCH_FAILED < -32_768 || LAUNCH_FAILED > -32_000).toBe(true);
});

test.each([
  ["a notification", '{"jsonrpc":"2.0","method":"notifications/initialized"}'],
  ["a response", '{"jsonrpc":"2.0","id":1,"result":{}}'],
  // MCP: "the ID MUST NOT be null"; an answer to nobody would be taken for an error of the connection.
  ["a null id", '{"jsonrpc":"2.0","id":null,"method":"x"}'],
  ["a number that is no JSON as id", '{"jsonrpc":"2.0","id":01,"method":"x"}'],
  ["an object as id", '{"jsonrpc":"2.0","id":{},"method":"x"}'],
  ["no JSON", "Content-Length: 12"],
  ["an empty line", ""],
  ["half of one", '{"jsonrpc":"2.0","id":1,'],
  ["null", "null"],
  ["a number", "1"],
  ["an empty batch", "[]"],
])("%s is not answered, and what follows is", (_, line) => {
  expect(answers(`${line}\r\n${request(2)}\n`)).toEqual([answer(2)]);
});

test("a batch is answered by a batch, without its notifications", () => {
  const batch = `[${request(1)},{"jsonrpc":"2.0","method":"n"},7,${request(2)}]\n`;
  expect(answers(batch)).toEqual([[answer(1), answer(2)]]);
});

test("a last line without an end is answered", () => {
  expect(answers(request(1))).toEqual([answer(1)]);
});

test("it does not matter where the pieces are cut", () => {
  const bytes = Buffer.from(`${request("é")}\n\n${request(2)}\r\n${request(3)}`);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length)), (cuts) => {
      const places = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
      const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
      expect(answers(...chunks)).toEqual([answer("é"), answer(2), answer(3)]);
    }),
  );
});

test("of an endless line nothing is kept, and the next one is read", () => {
  const responder = new Responder("no server");
  const piece = Buffer.alloc(1024 * 1024, "x");
  const before = process.memoryUsage().arrayBuffers;
  for (let count = 0; count < 200; count += 1) expect(responder.receive(piece)).toBe("");
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50 * 1024 * 1024);
  expect(responder.receive(Buffer.from(`\n${request(1)}\n`))).toContain('"id":1');
});
