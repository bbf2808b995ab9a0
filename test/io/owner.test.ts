import { describe, expect, test } from "vitest";
import { type Owner, type Processes, ownerOf, realProcesses, stateOf } from "../../src/io/owner.ts";

const linux: Processes = {
  host: "h",
  boot: "b1",
  namespace: "pid:[1]",
  bootedAt: 0,
  startOf: (pid) => (pid === 7 ? "100" : undefined),
};
const holder: Owner = { pid: 7, host: "h", boot: "b1", namespace: "pid:[1]", started: "100", since: 5 };

describe("stateOf", () => {
  test.each<[string, Partial<Owner>, string]>([
    ["the same process", {}, "alive"],
    ["no such process", { pid: 8 }, "dead"],
    ["a later process with the pid", { started: "99" }, "dead"],
    ["an earlier boot", { boot: "b0" }, "dead"],
    ["another host, whatever else", { host: "other", boot: "b0" }, "unknown"],
    ["another container", { namespace: "pid:[2]", pid: 8 }, "unknown"],
  ])("on Linux, %s", (_, change, state) => {
    expect(stateOf({ ...holder, ...change }, linux)).toBe(state);
  });

  const plain: Processes = {
    ...linux,
    boot: "",
    namespace: "",
    bootedAt: 1_000_000,
    startOf: (pid) => (pid === 7 ? "" : undefined),
  };
  const mac: Owner = { ...holder, boot: "", namespace: "", started: "", since: 2_000_000 };
  test.each<[string, Partial<Owner>, string]>([
    ["a pid that runs", {}, "alive"],
    ["no such process", { pid: 8 }, "dead"],
    ["taken before the boot", { since: 1 }, "dead"],
    ["taken just before the boot, as far as the clocks tell", { since: 999_000 }, "alive"],
  ])("where there is no /proc, %s", (_, change, state) => {
    expect(stateOf({ ...mac, ...change }, plain)).toBe(state);
  });
});

test("this process is alive, and the first of the system is another", () => {
  const processes = realProcesses(Date.now);
  const self = ownerOf(process.pid, Date.now(), processes);
  expect(stateOf(self, processes)).toBe("alive");
  expect(stateOf({ ...self, pid: process.ppid }, processes)).toBe(self.started === "" ? "alive" : "dead");
});
