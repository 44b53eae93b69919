import { expect, test } from "vitest";
import { decisionLabel, peopleAsked, personName, timeText } from "../../../src/approval/question.ts";

test("each decider is asked once, and without deciders there is a number for each approval", () => {
  expect(peopleAsked({ deciders: ["ann", "ben", "ann"], approvals: 1 })).toEqual(["ann", "ben"]);
  expect(peopleAsked({ deciders: null, approvals: 1 })).toEqual(["link-1"]);
  expect(peopleAsked({ deciders: null, approvals: 3 })).toEqual(["link-1", "link-2", "link-3"]);
});

test("people are called by their names, numbers by what they are", () => {
  expect(["ann", "link-2", "link-x"].map(personName)).toEqual(["ann", "Approver 2", "link-x"]);
});

test.each([
  ["approved", "Approve"],
  ["rejected", "Reject"],
  ["needs_changes", "Needs changes"],
  ["ask-again", "Ask again"],
  ["constructor", "Constructor"],
  ["__", "__"],
])("the decision %s is labelled %s", (decision, label) => {
  expect(decisionLabel(decision)).toBe(label);
});

test("times are in UTC, to the minute", () => {
  expect(timeText(Date.UTC(2026, 10, 23, 9, 5, 59))).toBe("2026-11-23 09:05 UTC");
});
