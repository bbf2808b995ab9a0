import { join } from "node:path";

/** Where launches note what they must give back: empty but while one lives, or where one died without its watcher. */
export function noteFolder(home: string): string {
  return join(home, "journal", "leases");
}
