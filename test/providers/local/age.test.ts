import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as typage from "age-encryption";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { decrypt, encrypt } from "../../../providers/local/age/age.ts";
import { encodeBase64 } from "../../../providers/local/age/base64.ts";
import { AgeError } from "../../../providers/local/age/error.ts";
import { formatHeader, parseHeader } from "../../../providers/local/age/header.ts";
import {
  type Identity,
  formatRecipient,
  generateIdentity,
  parseIdentities,
  parseRecipients,
} from "../../../providers/local/age/keys.ts";
import { openPayload, sealPayload } from "../../../providers/local/age/payload.ts";
import { wrap } from "../../../providers/local/age/x25519.ts";
import { ageProgram, ageVectors } from "../../helpers/age-oracles.ts";

const folder = mkdtempSync(join(tmpdir(), "mcps-age-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const mine = generateIdentity();
const other = generateIdentity();
const plaintext = Buffer.from('{"value":"p@ss wörd"}');
const CHUNK = 64 * 1024;
/** The lengths around which the chunks of the payload change. */
const LENGTHS = [0, 1, 15, 16, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5];

describe("what we write we read", () => {
  test("at any length", () => {
    const lengths = fc.oneof(fc.constantFrom(...LENGTHS), fc.nat(2 * CHUNK));
    fc.assert(
      fc.property(lengths, (length) => {
        const bytes = randomBytes(length);
        expect(decrypt(encrypt(bytes, [mine.identity.recipient]), [mine.identity]).equals(bytes)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  test("with any one of several recipients and of several identities", () => {
    const file = encrypt(plaintext, [mine.identity.recipient, other.identity.recipient]);
    for (const identities of [[mine], [other], [generateIdentity(), other]]) {
      expect(
        decrypt(
          file,
          identities.map(({ identity }) => identity),
        ),
      ).toEqual(plaintext);
    }
  });

  test("never twice the same bytes", () => {
    const files = [1, 2].map(() => encrypt(plaintext, [mine.identity.recipient]));
    expect(files[0]?.equals(files[1] ?? Buffer.alloc(0))).toBe(false);
  });

  test("for nobody else", () => {
    expect(reasonOf(encrypt(plaintext, [mine.identity.recipient]), [other.identity])).toBe("no-match");
    expect(reasonOf(encrypt(plaintext, [mine.identity.recipient]), [])).toBe("no-match");
  });
});

describe("age-encryption (npm)", () => {
  test.each(LENGTHS)("opens what we write, %i bytes", async (length) => {
    const bytes = randomBytes(length);
    const decrypter = new typage.Decrypter();
    decrypter.addIdentity(other.text);
    const file = encrypt(bytes, [mine.identity.recipient, other.identity.recipient]);
    expect(Buffer.from(await decrypter.decrypt(file)).equals(bytes)).toBe(true);
  });

  test.each(LENGTHS)("writes what we open, %i bytes, binary and armored", async (length) => {
    const bytes = randomBytes(length);
    const encrypter = new typage.Encrypter();
    for (const { identity } of [other, mine]) encrypter.addRecipient(formatRecipient(identity.recipient));
    const file = await encrypter.encrypt(bytes);
    expect(decrypt(Buffer.from(file), [mine.identity]).equals(bytes)).toBe(true);
    const armored = Buffer.from(` \n${typage.armor.encode(file)}\r\n`);
    expect(decrypt(armored, [mine.identity]).equals(bytes)).toBe(true);
  });

  test("has the same keys", async () => {
    const text = await typage.generateX25519Identity();
    const recipient = await typage.identityToRecipient(text);
    expect(formatRecipient(parseIdentities(text)[0]!.recipient)).toBe(recipient);
    expect(await typage.identityToRecipient(mine.text)).toBe(formatRecipient(mine.identity.recipient));
  });
});

const age = ageProgram();
describe.skipIf(age === undefined)("the stock age program", () => {
  const identityFile = join(folder, "identity");
  const run = (args: readonly string[], input: Buffer) => {
    writeFileSync(identityFile, `# created: then\n${mine.text}\n`);
    const { status, stdout, stderr } = spawnSync(age ?? "", args, { input, maxBuffer: 1 << 24 });
    expect(stderr.toString()).toBe("");
    expect(status).toBe(0);
    return stdout;
  };

  test.each(LENGTHS)("opens what we write, %i bytes", (length) => {
    const bytes = randomBytes(length);
    const file = encrypt(bytes, [other.identity.recipient, mine.identity.recipient]);
    expect(run(["-d", "-i", identityFile], file).equals(bytes)).toBe(true);
  });

  test.each(LENGTHS)("writes what we open, %i bytes, binary and armored", (length) => {
    const bytes = randomBytes(length);
    for (const more of [[], ["-a"]]) {
      const file = run(["-r", formatRecipient(mine.identity.recipient), ...more], bytes);
      expect(decrypt(file, [mine.identity]).equals(bytes)).toBe(true);
    }
  });
});

const vectors = (await ageVectors()).filter(({ foreign }) => !foreign);
describe.skipIf(vectors.length === 0)("the vectors of the age project", () => {
  test("are enough to tell", () => expect(vectors.length).toBeGreaterThan(60));

  test.each(vectors.map((vector) => [vector.name, vector.expect, vector] as const))("%s: %s", (_, expected, vector) => {
    const identities = parseIdentities(vector.identities.join("\n"));
    const isBinary = !vector.file.subarray(0, 64).toString("latin1").trimStart().startsWith("-----BEGIN");
    // Read as a binary file, which it is not either.
    if (expected === "armor failure" && isBinary) return expect(reasonOf(vector.file, identities)).toBe("malformed");
    if (expected !== "success") {
      return expect(reasonOf(vector.file, identities)).toBe(expected === "no match" ? "no-match" : "malformed");
    }
    const opened = decrypt(vector.file, identities);
    return expect(createHash("sha256").update(opened).digest("hex")).toBe(vector.payload);
  });
});

describe("a damaged file is an error and never a wrong value", () => {
  const file = encrypt(plaintext, [mine.identity.recipient]);

  test("every flip of a bit", () => {
    for (let at = 0; at < file.length; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const damaged = Buffer.from(file);
        damaged[at]! ^= 1 << bit;
        expect(reasonOf(damaged, [mine.identity]), `byte ${at}, bit ${bit}`).toMatch(/malformed|no-match/);
      }
    }
  });

  test("every truncation, and bytes at the end", () => {
    for (let length = 0; length < file.length; length += 1) {
      expect(reasonOf(file.subarray(0, length), [mine.identity]), `${length} bytes`).toBe("malformed");
    }
    expect(reasonOf(Buffer.concat([file, Buffer.of(0)]), [mine.identity])).toBe("malformed");
    expect(reasonOf(Buffer.concat([file, file]), [mine.identity])).toBe("malformed");
  });

  test("every byte taken out or doubled", () => {
    for (let at = 0; at < file.length; at += 1) {
      const without = Buffer.concat([file.subarray(0, at), file.subarray(at + 1)]);
      const doubled = Buffer.concat([file.subarray(0, at + 1), file.subarray(at)]);
      for (const damaged of [without, doubled]) {
        expect(reasonOf(damaged, [mine.identity]), `byte ${at}`).toMatch(/malformed|no-match/);
      }
    }
  });

  test("every flip of a bit of an armored file, but for the white space around", () => {
    const armored = Buffer.from(typage.armor.encode(file).trim());
    for (let at = 0; at < armored.length; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const damaged = Buffer.from(armored);
        damaged[at]! ^= 1 << bit;
        expect(reasonOf(damaged, [mine.identity]), `byte ${at}, bit ${bit}`).toMatch(/malformed|no-match/);
      }
    }
  });

  test("anything at all", () => {
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc.string({ unit: "binary" }).map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(noise, (bytes) => {
        expect(reasonOf(Buffer.from(bytes), [mine.identity])).toBe("malformed");
      }),
    );
  });

  test("chunks that were cut off, swapped or repeated", () => {
    const key = randomBytes(16);
    const payload = sealPayload(key, randomBytes(3 * CHUNK));
    const [nonce, ...chunks] = [payload.subarray(0, 16), ...[0, 1, 2].map((index) => chunkOf(payload, index))];
    expect(openPayload(key, Buffer.concat([nonce, ...chunks])).length).toBe(3 * CHUNK);
    for (const order of [[0, 1], [2], [1, 0, 2], [0, 0, 1, 2], [0, 1, 2, 2], []]) {
      const changed = Buffer.concat([nonce, ...order.map((index) => chunks[index]!)]);
      expect(() => openPayload(key, changed)).toThrow(AgeError);
    }
  });
});

describe("limits", () => {
  const fileKey = randomBytes(16);
  const stanza = { args: ["grease"], body: Buffer.alloc(0) };

  test("128 recipients are read, one more is not", () => {
    const header = (count: number) =>
      formatHeader(
        Array.from({ length: count }, () => stanza),
        fileKey,
      );
    expect(parseHeader(header(128)).stanzas).toHaveLength(128);
    expect(() => parseHeader(header(129))).toThrow(/more than 128/);
  });

  test("a header does not go on for ever", () => {
    expect(() => parseHeader(Buffer.from(`age-encryption.org/v1\n-> ${"x".repeat(300_000)}\n`))).toThrow(AgeError);
  });

  test("stanzas of any kind survive writing and reading", () => {
    const arg = fc.stringMatching(/^[\x21-\x7e]{1,20}$/);
    const stanzas = fc.array(
      fc.record({ args: fc.array(arg, { minLength: 1, maxLength: 4 }), body: fc.uint8Array({ maxLength: 200 }) }),
      { minLength: 1, maxLength: 6 },
    );
    fc.assert(
      fc.property(stanzas, (generated) => {
        const written = generated.map(({ args, body }) => ({ args, body: Buffer.from(body) }));
        expect(parseHeader(formatHeader(written, fileKey)).stanzas).toEqual(written);
      }),
    );
  });

  test.each([0, 1])("a share of low order is refused (%i)", (first) => {
    const share = Buffer.alloc(32);
    share[0] = first;
    const body = wrap(fileKey, mine.identity.recipient).body;
    const header = formatHeader([{ args: ["X25519", encodeBase64(share)], body }], fileKey);
    expect(reasonOf(Buffer.concat([header, sealPayload(fileKey, plaintext)]), [mine.identity])).toBe("malformed");
  });
});

describe("key files", () => {
  test("comments, empty lines and CRLF are passed over", () => {
    const text = `# created: 2026\r\n\r\n${mine.text}\r\n${other.text}`;
    expect(parseIdentities(text).map(({ recipient }) => formatRecipient(recipient))).toEqual(
      [mine, other].map(({ identity }) => formatRecipient(identity.recipient)),
    );
    const recipients = `# me\n${formatRecipient(mine.identity.recipient)}\n`;
    expect(parseRecipients(recipients).map(formatRecipient)).toEqual([formatRecipient(mine.identity.recipient)]);
    expect(parseRecipients("# nobody\n")).toEqual([]);
  });

  test("the keys of the specification", () => {
    const [identity] = parseIdentities("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX");
    expect(formatRecipient(identity!.recipient)).toBe("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj");
  });

  test.each([
    ["nothing", ""],
    ["lower case", mine.text.toLowerCase()],
    ["a recipient", formatRecipient(mine.identity.recipient)],
    ["a changed character", mine.text.replace(/.$/, (last) => (last === "Q" ? "P" : "Q"))],
    ["cut off", mine.text.slice(0, -1)],
    ["text behind it", `${mine.text} x`],
    ["a post-quantum key", "AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR"],
  ])("%s is no identity, and the message does not quote it", (_, text) => {
    const failure = failureOf(() => parseIdentities(text));
    expect(failure).toBeInstanceOf(AgeError);
    expect(text === "" || !String(failure).includes(text.slice(20, 40))).toBe(true);
  });

  test("the line that is no recipient is named", () => {
    expect(() => parseRecipients(`# x\n\n${mine.text}`)).toThrow("line 3 is no X25519 recipient");
  });
});

function chunkOf(payload: Buffer, index: number): Buffer {
  return payload.subarray(16 + index * (CHUNK + 16), 16 + (index + 1) * (CHUNK + 16));
}

function reasonOf(file: Buffer, identities: readonly Identity[]): string {
  const failure = failureOf(() => decrypt(file, identities));
  return failure instanceof AgeError ? failure.reason : `no AgeError: ${String(failure)}`;
}

function failureOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}
