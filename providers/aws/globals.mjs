// What the SDK finds in place of globals of Node that are loaded when they are first named (build.mjs): a launch has no
// use for them, and they cost it eight milliseconds.
import { randomUUID } from "node:crypto";

/** Of WebCrypto the SDK wants this. */
export const crypto = { randomUUID };
/** Nothing of ours is one: the SDK asks whether a body is. */
export class ReadableStream {}
export class Blob {}
