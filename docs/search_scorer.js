// How the site's search orders what it finds: pages that explain before those that list names.
const FOLDERS = { tutorial: 5, howto: 12, explanation: 8, examples: 4, contributing: -5 };

Scorer = {
  score: ([page, , , , score]) => score + (FOLDERS[page.split("/")[0]] ?? 0),
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
