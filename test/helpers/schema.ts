import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import { expect } from "vitest";

const ajv = new Ajv({ strict: true, allErrors: true, formats: { "date-time": true } });

/** The document that `text` is, once it is found to be as docs/schemas publishes it. */
export function published(name: string, text: string): unknown {
  const schema: unknown = JSON.parse(readFileSync(join("docs", "schemas", `${name}.json`), "utf8"));
  const document: unknown = JSON.parse(text);
  const check = ajv.getSchema(`mcp-secrets/${name}/1`) ?? ajv.compile(schema as object);
  expect(check(document), JSON.stringify(check.errors)).toBe(true);
  return document;
}
