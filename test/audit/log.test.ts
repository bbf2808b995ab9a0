import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { appendAudit, auditPath } from "../../src/audit/log.ts";
import { execute } from "../helpers/cli.ts";
import { testContext } from "../helpers/context.ts";

test("one line an event, private, with who did it", () => {
  using user = testContext();
  const now = () => Date.UTC(2026, 0, 2);
  appendAudit({ ...user.context, now }, { event: "stored", outcome: "ok", refs: ["mcp-secret://local/a/b"] });
  appendAudit(
    { ...user.context, now },
    { event: "launched", outcome: "denied", entry: "c/\n{}", code: "not-approved" },
  );
  const path = auditPath(user.context.home);
  const lines = readFileSync(path, "utf8").split("\n");
  expect(lines).toHaveLength(3);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    v: 1,
    ts: "2026-01-02T00:00:00.000Z",
    event: "stored",
    actor: { uid: user.context.uid, pid: process.pid, host: user.context.hostname },
  });
  expect(JSON.parse(lines[1] ?? "")).toMatchObject({ entry: "c/\n{}", code: "not-approved" });
  expect([statSync(path).mode & 0o777, statSync(join(path, "..")).mode & 0o777]).toEqual([0o600, 0o700]);
});

test("what cannot be written is an error with a way out", () => {
  using user = testContext();
  mkdirSync(auditPath(user.context.home), { recursive: true });
  const append = () => appendAudit(user.context, { event: "stored", outcome: "ok" });
  expect(append).toThrow(/^cannot write the audit log .*: EISDIR$/);
});

test("a link in its place is not followed", () => {
  using user = testContext();
  const path = auditPath(user.context.home);
  mkdirSync(join(path, ".."), { recursive: true });
  const other = join(user.folder, "other");
  writeFileSync(other, "");
  symlinkSync(other, path);
  const append = () => appendAudit(user.context, { event: "stored", outcome: "ok" });
  expect(append).toThrow(
    expect.objectContaining({
      message: expect.stringMatching(/it is a link$/),
      hint: `rm ${path} takes the link away`,
    }),
  );
  expect(readFileSync(other, "utf8")).toBe("");
});

test("lines of many processes at once stay whole", async () => {
  using user = testContext();
  appendAudit(user.context, { event: "stored", outcome: "ok" });
  const path = auditPath(user.context.home);
  const script = `const fs = require("fs");
    for (let i = 0; i < 200; i++) fs.appendFileSync(${JSON.stringify(path)}, JSON.stringify({ i, fill: "x".repeat(3000) }) + "\\n");`;
  await Promise.all(Array.from({ length: 4 }, () => execute(process.execPath, ["-e", script], { env: {} })));
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  expect(lines).toHaveLength(801);
  expect(() => lines.map((line) => JSON.parse(line))).not.toThrow();
});
