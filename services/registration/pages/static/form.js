// The rules of forms, as `domain/forms.py` has them: which questions are shown, and what is wrong.
// Nothing here touches the page, so that a test can compare every verdict with Python's.

const LENGTHS = { text: 200, long_text: 4000 };
const NUMBER_MAX = 1e15;
const YEARS = ["1900-01-01", "2199-12-31"];
export const FILE_BYTES_MAX = 5 * 1024 * 1024;
export const FILE_TYPES = ["pdf", "png", "jpeg", "docx", "xlsx"];

const SPACE = "[ \\t\\n\\r\\v\\f\\u00a0\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff]";
const ENDS = new RegExp(`^${SPACE}+|${SPACE}+$`, "gu");
const ODD = /[\x00-\x08\x0b-\x1f\x7f\u{d800}-\u{dfff}]/u;
const ODD_IN_A_LINE = /[\x00-\x1f\x7f\u{d800}-\u{dfff}]/u;

class Refused {
  constructor(reason, limit = null) {
    this.wrong = { reason, limit };
  }
}

/**
 * Say which questions are shown, what the answers are, and what is wrong with them.
 * @param {object[]} questions as `Question.rules()` gives them
 * @param {Record<string, unknown>} answers by code
 * @param {{side: string, country: string, items: string[], kinds: string[],
 *          files: Record<string, {type: string, bytes: number}>, is_complete?: boolean}} facts
 */
export function judged(questions, answers, facts) {
  const byCode = new Map(questions.map((question) => [question.code, question]));
  const seen = new Map();
  const values = new Map();

  const isShown = (code) => {
    if (!seen.has(code)) {
      const { item, when } = byCode.get(code);
      const isAsked = item === null || facts.items.includes(item);
      seen.set(code, isAsked && (when === null || holds(when, lookUp)));
    }
    return seen.get(code);
  };
  const valueOf = (code) => {
    if (!values.has(code)) {
      try {
        const given = Object.hasOwn(answers, code) ? answers[code] : null;
        values.set(code, [clean(byCode.get(code), given, facts), null]);
      } catch (refused) {
        if (!(refused instanceof Refused)) throw refused;
        values.set(code, [null, refused.wrong]);
      }
    }
    return values.get(code);
  };
  const lookUp = (subject, name) => {
    if (subject === "fact") return [facts[name]].flat();
    if (!byCode.has(name) || !isShown(name)) return [];
    const [value] = valueOf(name);
    return value === null ? [] : [value].flat();
  };

  const verdict = { shown: [...byCode.keys()].filter(isShown), answers: {}, wrong: {} };
  for (const code of verdict.shown) {
    const question = byCode.get(code);
    const [value, fault] = valueOf(code);
    if (value !== null) verdict.answers[code] = value;
    else if (fault) verdict.wrong[code] = fault;
    else if (question.is_required && facts.is_complete !== false)
      verdict.wrong[code] = { reason: question.kind === "consent" ? "consent" : "required", limit: null };
  }
  return verdict;
}

function holds(condition, lookUp) {
  if ("all" in condition) return condition.all.every((part) => holds(part, lookUp));
  if ("any" in condition) return condition.any.some((part) => holds(part, lookUp));
  if ("not" in condition) return !holds(condition.not, lookUp);
  const subject = "question" in condition ? "question" : "fact";
  const values = lookUp(subject, condition[subject]);
  if ("is" in condition) return values.includes(condition.is);
  if ("in" in condition) return condition.in.some((value) => values.includes(value));
  if ("answered" in condition) return values.length > 0 === condition.answered;
  const numbers = values.filter((value) => typeof value === "number");
  if ("at_least" in condition) return numbers.some((value) => value >= condition.at_least);
  return numbers.some((value) => value <= condition.at_most);
}

function clean(question, value, facts) {
  if (value === null || value === "") return null;
  return CLEANERS[question.kind](question, value, facts);
}

function text({ kind, limits }, value) {
  const written = string(value).replace(/\r\n?/g, "\n").replace(ENDS, "");
  if (!written) return null;
  const length = [...written].length;
  if ((kind === "text" ? ODD_IN_A_LINE : ODD).test(written)) throw new Refused("character");
  if (length < (limits.length_min ?? 0)) throw new Refused("too_short", limits.length_min);
  const most = limits.length_max ?? LENGTHS[kind];
  if (length > most) throw new Refused("too_long", most);
  if (limits.pattern && !matches(limits.pattern, written)) throw new Refused("pattern");
  return written;
}

function matches(elements, written) {
  const numbers = [...written].map((character) => character.codePointAt(0));
  let places = new Set([0]);
  for (const { ranges, min, max } of elements) {
    const reached = new Set();
    for (const start of places) {
      for (let end = start; ; end += 1) {
        if (end - start >= min) reached.add(end);
        if (end - start === max || end === numbers.length) break;
        if (!ranges.some(([low, high]) => low <= numbers[end] && numbers[end] <= high)) break;
      }
    }
    places = reached;
  }
  return places.has(numbers.length);
}

function number({ limits }, value) {
  let given = value;
  if (typeof value === "string") {
    const written = plain(value);
    if (!written) return null;
    if (!/^[+-]?[0-9]{1,15}(\.[0-9]{1,6})?$/.test(written)) throw new Refused("number");
    given = Number(written);
  }
  if (typeof given !== "number") throw new Refused("kind");
  if (!(-NUMBER_MAX <= given && given <= NUMBER_MAX)) throw new Refused("number");
  if (limits.is_whole && !Number.isInteger(given)) throw new Refused("whole");
  if ("min" in limits && given < limits.min) throw new Refused("too_small", limits.min);
  if ("max" in limits && given > limits.max) throw new Refused("too_big", limits.max);
  return given;
}

function date({ limits }, value) {
  const written = plain(string(value));
  if (!written) return null;
  if (!/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(written)) throw new Refused("date");
  if (written < YEARS[0] || written > YEARS[1] || !isInCalendar(written)) throw new Refused("date");
  if (written < (limits.min ?? YEARS[0])) throw new Refused("too_early", limits.min);
  if (written > (limits.max ?? YEARS[1])) throw new Refused("too_late", limits.max);
  return written;
}

function isInCalendar(written) {
  const [year, month, day] = written.split("-").map(Number);
  const found = new Date(Date.UTC(year, month - 1, day));
  return found.getUTCMonth() === month - 1 && found.getUTCDate() === day;
}

function choice({ codes }, value) {
  if (!codes.includes(string(value))) throw new Refused("choice");
  return value;
}

function several({ codes, limits }, value) {
  if (!Array.isArray(value) || value.some((code) => typeof code !== "string")) throw new Refused("kind");
  if (value.some((code) => !codes.includes(code))) throw new Refused("choice");
  const chosen = codes.filter((code) => value.includes(code));
  if (chosen.length === 0) return null;
  if (chosen.length < (limits.min ?? 0)) throw new Refused("too_few", limits.min);
  if (chosen.length > (limits.max ?? chosen.length)) throw new Refused("too_many", limits.max);
  return chosen;
}

function file({ limits }, value, facts) {
  const found = Object.hasOwn(facts.files, string(value)) ? facts.files[value] : null;
  if (!found) throw new Refused("file");
  if (!(limits.types ?? FILE_TYPES).includes(found.type)) throw new Refused("file_type");
  const most = limits.bytes_max ?? FILE_BYTES_MAX;
  if (found.bytes > most) throw new Refused("file_size", most);
  return value;
}

function consent(question, value) {
  if (typeof value !== "boolean") throw new Refused("kind");
  return value || null;
}

const CLEANERS = { text, long_text: text, number, date, choice, several, file, consent };

function string(value) {
  if (typeof value !== "string") throw new Refused("kind");
  return value;
}

function plain(written) {
  return written.normalize("NFKC").replace(ENDS, "");
}
