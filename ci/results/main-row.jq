# One row of main.md from a report.json.
def round1: . * 10 | round / 10;
def count(s): [.outcomes[] | select(.status == s)] | length;
def skipped: [.outcomes[] | select(.status == "skip") | .cause] | group_by(.) | map("\(length) \(.[0])") | join(", ");
.machines[0].timings as $t
| [$name, $mib, .verdict, count("pass"), count("fail"), count("error"), skipped,
   ($t.settled | round1), ($t.quick_checks | round1), ($t.deep_checks | round1),
   ($t.quick_checks / $t.settled * 1000 | round / 10 | tostring + " %")]
| "| " + (map(tostring) | join(" | ")) + " |"
