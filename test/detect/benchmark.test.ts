import { expect, test } from "vitest";
import { readCases } from "../../bench/cases.ts";
import { findAll } from "../../bench/find.ts";
import { rates, score } from "../../bench/score.ts";
import type { Found } from "../../bench/score.ts";

function measured(name: "dev" | "hard.dev") {
  const cases = readCases(name);
  const scores = score(cases, findAll(cases));
  return { ...rates(scores.places.get("all")!), mistakes: scores.mistakes };
}

test("on real configs: nearly all, and nearly nothing else", () => {
  const { precision, recall, exact } = measured("dev");
  expect(precision).toBeGreaterThanOrEqual(98.5);
  expect(recall).toBeGreaterThanOrEqual(97);
  expect(exact).toBeGreaterThanOrEqual(99);
});

test("on adversarial values, and never a reference", () => {
  const { f1, mistakes } = measured("hard.dev");
  expect(f1).toBeGreaterThanOrEqual(85);
  expect(mistakes.filter(({ of }) => of === "reference")).toEqual([]);
});

test("the scorer counts what is wrong, missed, ambiguous, exact and found twice", () => {
  const label = (jsonPointer: string, kind: "secret" | "nonsecret" | "ambiguous", span?: string) => {
    const common = { jsonPointer, label: kind, location: "env", form: "env" } as const;
    return span === undefined ? common : { ...common, span };
  };
  const at = (name: string) => `/mcpServers/s/env/${name}`;
  const labels = [
    label(at("A"), "secret", "xy"),
    label(at("B"), "secret"),
    label(at("C"), "nonsecret"),
    label(at("D"), "ambiguous"),
  ];
  const found: Found[] = [
    { pointer: at("A"), text: "wxyz", span: "wxyz" },
    { pointer: at("C"), text: "c", span: "c" },
    { pointer: at("C"), text: "c", span: "c" },
    { pointer: at("D"), text: "d", span: "d" },
  ];
  const { places, mistakes } = score([{ id: "1", file: "", labels }], new Map([["1", found]]));
  expect(places.get("all")).toEqual({ hit: 1, wrong: 1, missed: 1, exact: 0 });
  expect(rates(places.get("env")!)).toEqual({ precision: 50, recall: 50, f1: 50, exact: 0 });
  expect(mistakes.map(({ what, of }) => [what, of])).toEqual([
    ["wrong", "nonsecret"],
    ["missed", "env"],
  ]);
  expect(score([{ id: "1", file: "", labels }], new Map()).places.get("all")).toMatchObject({
    hit: 0,
    missed: 2,
    wrong: 0,
  });
});
