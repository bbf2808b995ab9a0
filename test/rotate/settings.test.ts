import { describe, expect, test } from "vitest";
import { parseRotation } from "../../src/rotate/settings.ts";

const NAME = "mcp-secret://local/db/password";

test("where nothing is said nothing is rotated, and launches look after what is due", () => {
  expect(parseRotation(undefined)).toEqual({ trigger: "launch", secrets: [] });
  expect(parseRotation({})).toEqual({ trigger: "launch", secrets: [] });
});

test("a secret with all that can be said of it; what is left goes to its target", () => {
  const value = {
    trigger: "cron",
    [NAME]: {
      target: "postgresql",
      maxAge: "30d",
      window: "02:00-04:00",
      grace: "90m",
      owner: "platform@example.com",
      host: "db",
      admin: { ref: "mcp-secret://local/db/admin" },
    },
    "mcp-secret://team/kv/stripe": { target: "human" },
  };
  expect(parseRotation(value)).toEqual({
    trigger: "cron",
    secrets: [
      {
        ref: { store: "local", path: "db/password" },
        target: "postgresql",
        maxAge: 30 * 86_400_000,
        window: { from: 120, until: 240 },
        grace: 90 * 60_000,
        owner: "platform@example.com",
        settings: { host: "db", admin: { ref: "mcp-secret://local/db/admin" } },
      },
      { ref: { store: "team", path: "kv/stripe" }, target: "human", grace: 3_600_000, settings: {} },
    ],
  });
});

describe("an error names its place", () => {
  test.each([
    [[], "rotation must be an object"],
    [{ trigger: "boot" }, "rotation.trigger must be one of launch, cron"],
    [{ "local/db": {} }, "rotation.local/db is not a setting"],
    [{ "mcp-secret://local/../x": {} }, "rotation.mcp-secret://local/../x is no reference"],
    [{ "mcp-secret://local/a#b": {} }, "rotation.mcp-secret://local/a#b names a field"],
    [{ [NAME]: "postgresql" }, `rotation.${NAME} must be an object`],
    [{ [NAME]: {} }, `rotation.${NAME}.target is missing`],
    [{ [NAME]: { target: "Postgres" } }, `rotation.${NAME}.target is not valid here`],
    [{ [NAME]: { target: "human", maxAge: "30" } }, `rotation.${NAME}.maxAge must be a length of time`],
    [{ [NAME]: { target: "human", maxAge: 30 } }, `rotation.${NAME}.maxAge is not valid here`],
    [{ [NAME]: { target: "human", grace: "0s" } }, `rotation.${NAME}.grace must be a length of time`],
    [{ [NAME]: { target: "human", window: "2-4" } }, `rotation.${NAME}.window is not valid here`],
    [{ [NAME]: { target: "human", owner: "a\nb" } }, `rotation.${NAME}.owner is not valid here`],
  ])("%j", (value, message) => {
    expect(() => parseRotation(value)).toThrow(message);
  });
});
