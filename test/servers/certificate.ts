import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate that vouches for itself, and its key, as PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Valid for two days; `extensions` as openssl writes them. */
export function selfSigned(name: string, extensions: readonly string[] = []): Certificate {
  const folder = mkdtempSync(join(tmpdir(), "certificate-"));
  try {
    const files = ["-keyout", join(folder, "key.pem"), "-out", join(folder, "cert.pem")];
    const more = extensions.flatMap((extension) => ["-addext", extension]);
    const args = [
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-days",
      "2",
      ...files,
      "-subj",
      `/CN=${name}`,
      ...more,
    ];
    execFileSync("openssl", args, { stdio: "ignore" });
    return { cert: readFileSync(join(folder, "cert.pem"), "utf8"), key: readFileSync(join(folder, "key.pem"), "utf8") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
