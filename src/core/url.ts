/**
 * The text that a percent-encoded one stands for; a `%` that encodes nothing stays. undefined where the bytes are not
 * UTF-8, so that encoding the text again could not give them back.
 */
export function percentDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replace(/%(?![0-9A-Fa-f]{2})/g, "%25"));
  } catch {
    return undefined;
  }
}
