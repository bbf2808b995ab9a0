import { expect, test } from "vitest";
import { formatTable } from "../../src/core/table.ts";

test("columns are as wide as their widest cells", () => {
  expect(
    formatTable(
      ["A", "B"],
      [
        ["1", "22"],
        ["333", ""],
      ],
    ),
  ).toBe("A    B\n1    22\n333\n");
});

test("no number of rows is too many", () => {
  const rows = Array.from({ length: 200_000 }, () => ["a"]);
  expect(formatTable(["A"], rows)).toHaveLength(400_002);
});
