import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { passwordStatements, serverOf } from "../../../../src/rotate/targets/mysql/change.ts";
import { cachingHash, passwordHash } from "../../../../src/rotate/targets/mysql/hash.ts";

test("the hash of caching_sha2_password is the one that is published for the password hashcat", () => {
  // The example of mode 7401 in hashcat's list: salt and digest in hexadecimal.
  const salt = Buffer.from("F9CC98CE08892924F50A213B6BC571A2C11778C5", "hex").toString("latin1");
  const digest = "625479393559393965414D45316477456B484F41316E64484742577A2E3162785353526B7554584647562F";
  expect(cachingHash("hashcat", salt)).toBe(`$A$005$${salt}${Buffer.from(digest, "hex").toString("latin1")}`);
});

test.for(["p", "exactly-sixteen!", "longer than the digest is, which has thirty-two bytes", "é 😀"])(
  "SHA-crypt of %s is that of openssl",
  (password, { skip }) => {
    const salt = "sixteenletters.x";
    const args = ["passwd", "-5", "-salt", salt, "-stdin"];
    const { status, stdout } = spawnSync("openssl", args, { input: `${password}\n`, encoding: "utf8" });
    if (status !== 0) return skip("SKIPPED: no openssl here");
    expect(cachingHash(password, salt).slice("$A$005$".length + salt.length)).toBe(stdout.trim().split("$")[3]);
  },
);

test("the hash of mysql_native_password is that of the manual", () => {
  // SELECT PASSWORD('mypass')
  const hash = passwordHash("mysql_native_password", "mypass", new Uint8Array());
  expect(hash).toBe("*6C8989366EAF75BB670AD8EA7A7FC1176A95CEF4");
});

test("a salt is of letters that need no quoting", () => {
  const bytes = Uint8Array.from({ length: 20 }, (_, index) => index * 13);
  expect(passwordHash("caching_sha2_password", "p", bytes)).toMatch(/^\$A\$005\$[A-Za-z0-9./]{63}$/);
});

test.for([
  ["10.11.19-MariaDB-0+deb12u1-log", true, false],
  ["5.5.5-10.6.4-MariaDB", true, false],
  ["8.0.13", false, false],
  ["8.0.14", false, true],
  ["8.4.3-commercial", false, true],
  ["9.1.0", false, true],
  ["8.0.mysql_aurora.3.08.0", false, true],
  ["5.7.44-log", false, false],
  ["8.0.11-TiDB-v7.5.0", false, false],
  ["", false, false],
] as const)("%s", ([version, isMariaDb, keepsTwo]) => {
  expect(serverOf(version)).toEqual({ isMariaDb, keepsTwo });
});

test("what MySQL is told: an older password that it keeps ends with every change", () => {
  const statements = (version: string, keep: boolean) =>
    passwordStatements(serverOf(version), "`a``b`@`%`", { plugin: "caching_sha2_password", hash: "$A$005$x", keep });
  expect(statements("8.4.0", true)).toEqual([
    "ALTER USER `a``b`@`%` IDENTIFIED WITH 'caching_sha2_password' AS '$A$005$x' RETAIN CURRENT PASSWORD",
  ]);
  expect(statements("8.4.0", false)).toEqual([
    "ALTER USER `a``b`@`%` IDENTIFIED WITH 'caching_sha2_password' AS '$A$005$x'",
    "ALTER USER `a``b`@`%` DISCARD OLD PASSWORD",
  ]);
  expect(statements("5.7.44", false)).toHaveLength(1);
});
