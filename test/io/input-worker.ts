import { watchInput } from "../../src/io/input.ts";

/** Says whether it saw its stdin closed within the time that it is given, in milliseconds. */
const timer = setTimeout(() => process.stdout.write("open\n"), Number(process.argv[2]));
watchInput(() => {
  clearTimeout(timer);
  process.stdout.write("closed\n");
});
