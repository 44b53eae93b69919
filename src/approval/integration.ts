import type { OutgoingRequest } from "../notices/outgoing-request.ts";
import type { Question } from "./question.ts";

/** A way to put questions to people: says what is to be sent, and sends nothing itself. */
export type Integration = (question: Question) => OutgoingRequest[];
