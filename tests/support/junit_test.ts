/** @module */
import { assertEquals } from "@std/assert";
import { tallyOf, uncaughtModules } from "./junit.ts";

Deno.test("tallyOf() counts a test with steps once, and lists what failed and what was not run", () => {
  const tally = tallyOf(`<?xml version="1.0"?>
<testsuites name="deno test" tests="7" failures="3" errors="0" time="0.004">
    <testsuite name="./tests/a_test.ts" tests="7" disabled="2" errors="0" failures="3">
        <testcase name="A.ok() passes" classname="./tests/a_test.ts" time="0.000" line="1" col="6">
        </testcase>
        <testcase name="A.bad() fails &lt;&amp;&#x20;" classname="./tests/a_test.ts" time="0.000">
            <failure message="Uncaught Error: x">&lt;testcase name=&quot;no&quot;&gt;</failure>
        </testcase>
        <testcase name="A.ignored() waits" classname="./tests/a_test.ts" time="0.000"><skipped/></testcase>
        <testcase name="A.steps" classname="./tests/a_test.ts" time="0.001"><failure message="1 step failed">x</failure></testcase>
        <testcase name="A.steps &gt; s1" classname="./tests/a_test.ts" time="0.000"/>
        <testcase name="A.steps &gt; s2" classname="./tests/a_test.ts" time="0.000"><failure message="boo">x</failure></testcase>
        <testcase name="A.steps &gt; s3" classname="./tests/a_test.ts" time="0.000"><skipped/></testcase>
    </testsuite>
    <testsuite name="./tests/b_test.ts" tests="1" disabled="0" errors="0" failures="0">
        <testcase name="B" classname="./tests/b_test.ts" time="0.000"/>
    </testsuite>
</testsuites>`);
  assertEquals(tally, {
    passed: 2,
    failed: ["tests/a_test.ts: A.bad() fails <& ", "tests/a_test.ts: A.steps"],
    notRun: ["A.ignored() waits", "A.steps > s3"],
  });
});

Deno.test("tallyOf() finds no test in an empty report", () => {
  assertEquals(tallyOf(`<testsuites name="deno test" tests="0"></testsuites>`), {
    passed: 0,
    failed: [],
    notRun: [],
  });
});

Deno.test("uncaughtModules() names each module once, coloured or not", () => {
  const output =
    " ERRORS \n\n./tests/b_test.ts (uncaught error)\n\x1b[1merror\x1b[0m: Error: load\n FAILURES \n\n" +
    "\x1b[31m./tests/b_test.ts (uncaught error)\x1b[0m\nA.bad() fails => ./tests/a_test.ts:2:6\n";
  assertEquals(uncaughtModules(output), ["tests/b_test.ts"]);
});
