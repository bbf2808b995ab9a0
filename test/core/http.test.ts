import { expect, test } from "vitest";
import { failureText } from "../../src/core/http.ts";

test.each([
  ["network", "ENOTFOUND", "api.example.com is not reached: no such host (ENOTFOUND)"],
  ["network", "EPIPE", "api.example.com is not reached: EPIPE"],
  ["untrusted", "EPROTO", "api.example.com is not trusted: no TLS that we speak (EPROTO)"],
  ["untrusted", "CERT_HAS_EXPIRED", "api.example.com is not trusted: CERT_HAS_EXPIRED"],
  ["timeout", "no answer in 3 s", "api.example.com: no answer in 3 s"],
  ["garbage", "no HTTP", "api.example.com: no HTTP"],
] as const)("%s %s names the host and says what it means", (kind, reason, text) => {
  expect(failureText("https://user:secret@api.example.com/path?key=secret", { kind, reason })).toBe(text);
});
