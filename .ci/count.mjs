// node count.mjs RESULTS: one line with the counts of vitest's JSON report. A step that failed before the tests, or a
// report with no test in it, counts as one failure.
import { readFileSync } from "node:fs";

const none = { numPassedTests: 0, numFailedTests: 1, numPendingTests: 0, numTodoTests: 0 };
const report = read(process.argv[2]);
// A file that cannot be loaded fails without a test of its own.
const failed = report.numFailedTests || (report.success === false ? 1 : 0);
console.log(
  `${report.numPassedTests} passed, ${failed} failed, ${report.numPendingTests + report.numTodoTests} skipped`,
);
process.exitCode = failed === 0 && report.numPassedTests > 0 ? 0 : 1;

function read(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return none;
  }
}
