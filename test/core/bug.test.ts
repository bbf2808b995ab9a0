import fc from "fast-check";
import { expect, test } from "vitest";
import { bugReport } from "../../src/core/bug.ts";

const thrown = (run: () => unknown): unknown => {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
};

test("the kind, the words of the message, and the calls", () => {
  const { what, stack } = bugReport(thrown(() => (undefined as unknown as { x: number }).x));
  expect(what).toBe("TypeError: Cannot read properties of undefined (reading …)");
  expect(stack).toMatch(/^ {4}at .*bug\.test\.ts:\d+:\d+\)?\n/);
});

test("what JSON.parse quotes is left out", () => {
  const { what, stack } = bugReport(thrown(() => JSON.parse("hunter-secret")));
  expect(what).toMatch(/^SyntaxError: Unexpected token …/);
  expect(what + stack).not.toMatch(/hunter|secret/);
});

test("a message with lines, even such as look like calls, is not shown as calls", () => {
  const error = new Error("first\n    at correct horse (battery)\nstaple");
  expect(bugReport(error).stack).not.toMatch(/battery|staple|first/);
});

test("a value of the usual kinds, wherever it stands in the message", () => {
  const value = fc
    .string({ minLength: 8, unit: "grapheme-ascii" })
    .filter((text) => /[\d_/+=@]/.test(text) && !/\s/.test(text));
  fc.assert(
    fc.property(value, fc.constantFrom("cannot use ", "bad value: ", ""), (text, before) => {
      const { what, stack } = bugReport(new Error(`${before}${text}`));
      expect(what).not.toContain(text);
      expect(stack).not.toContain(text);
    }),
  );
});

test("what is no error", () => {
  expect(bugReport("hunter2")).toEqual({ what: "a string was thrown", stack: "" });
  expect(bugReport(undefined)).toEqual({ what: "a undefined was thrown", stack: "" });
  const odd = Object.assign(new Error(""), { name: "hunter 2" });
  expect(bugReport(odd).what).toBe("Error");
});
