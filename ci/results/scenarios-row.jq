# A row per scenario of a report: image, scenario, what it has to do, what it did, seconds, what it said.
.outcomes[] | select(.check | startswith("scenario."))
| [$name, (.check | ltrimstr("scenario.")), $due, .status,
   ([.evidence[]?.seconds] | add // 0 | round | tostring),
   ((.got // .why // "") | gsub("\\s+"; " ") | gsub("\\|"; "/") | .[0:160])]
| "| " + join(" | ") + " |"
