import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { isShared, networkMounts, riskOfConfigs, worstRisk } from "../../src/rotate/risk.ts";
import { testContext } from "../helpers/context.ts";

test.each([
  ["/home/u/Dropbox/mcp.json", "linux"],
  ["/home/u/Dropbox (Work)/a/mcp.json", "linux"],
  ["/Users/u/Library/Mobile Documents/com~apple~CloudDocs/mcp.json", "darwin"],
  ["/Users/u/Library/CloudStorage/OneDrive-Work/mcp.json", "darwin"],
  ["/Volumes/share/mcp.json", "darwin"],
  [String.raw`C:\Users\u\OneDrive - Work\mcp.json`, "win32"],
  [String.raw`C:\Users\u\iCloudDrive\mcp.json`, "win32"],
  [String.raw`\\server\share\mcp.json`, "win32"],
  ["/Users/u/Google Drive/My Drive/mcp.json", "darwin"],
  ["/net/team/mcp.json", "linux"],
] as const)("%s is shared", (path, platform) => {
  expect(isShared(path, platform, ["/net/team"])).toBe(true);
});

test.each([
  ["/home/u/.config/Claude/claude_desktop_config.json", "linux"],
  ["/home/u/dropbox-notes/mcp.json", "linux"],
  ["/net/teams/mcp.json", "linux"],
  ["/Volumes/x", "linux"],
] as const)("%s is not", (path, platform) => {
  expect(isShared(path, platform, ["/net/team"])).toBe(false);
});

test("network file systems in /proc/mounts", () => {
  const text = [
    "/dev/sda1 / ext4 rw 0 0",
    "server:/export /net/team\\040one nfs4 rw 0 0",
    "//server/share /mnt/share cifs rw 0 0",
    "u@h: /home/u/h fuse.sshfs rw 0 0",
    "tmpfs /tmp tmpfs rw 0 0",
    "",
  ].join("\n");
  expect(networkMounts(text)).toEqual(["/net/team one", "/mnt/share", "/home/u/h"]);
});

test("a config that git has ever seen comes first, also by a link into the repository, and no value is asked for", async () => {
  const world = testContext();
  onTestFinished(() => world[Symbol.dispose]());
  const file = (name: string, text = "{}") => {
    const path = join(world.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  };
  const committed = file("repo/mcp.json", "canary-in-history");
  const untracked = file("repo/other.json");
  const synced = file("Dropbox/mcp.json");
  const alone = file("plain/mcp.json");
  const git = (...args: string[]) =>
    execFileSync("git", ["-C", join(world.folder, "repo"), ...args], {
      env: { PATH: process.env["PATH"], HOME: world.folder },
    });
  git("init", "-q");
  git("add", "mcp.json");
  git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "x");
  git("rm", "-q", "--cached", "mcp.json");
  const link = join(world.folder, "plain", "link.json");
  symlinkSync(committed, link);

  const asked: string[] = [];
  const place: typeof world.context = {
    ...world.context,
    run: (command, args, timeout, env) => {
      asked.push(args.join(" "));
      return world.context.run(command, args, timeout, env);
    },
  };
  const risks = await riskOfConfigs(place, [committed, untracked, synced, alone, link, "/nowhere/at/all.json"]);
  expect([...risks.values()]).toEqual(["git", "disk", "shared", "disk", "git", "disk"]);
  expect(asked.join("\n")).not.toContain("canary");
  const at = (config: string) => ({ config, client: "c", server: "s" });
  expect(worstRisk([at(alone), at(synced), at(committed)], risks)).toBe("git");
  expect(worstRisk([at(alone), at(synced)], risks)).toBe("shared");
  expect(worstRisk([], risks)).toBe("disk");
});
