# A row per fault of a proof, then one per untouched machine: fault, had to fail, did, came, seconds, what it said.
def words: gsub("\\s+"; " ") | gsub("\\|"; "/") | .[0:160];
(.tried[]
 | [$name, .fault, (.had_to | join(", ")), (.did | join(", ")),
    (.came | if type == "string" then . else keys[0] end),
    (.seconds | . * 10 | round / 10 | tostring),
    ((.came | if type == "string" then "" else (to_entries[0].value | tostring) end)
     + (if (.with | length) > 0 then "shares its boot with \(.with | length) more" else "" end) | words)]),
(.twins[]
 | [$name, "untouched: \(.machine)", "", "", (if (.alarms | length) == 0 then "\(.passed) checks hold" else "alarm" end),
    (.settled // 0 | . * 10 | round / 10 | tostring), (.alarms | join("; ") | words)])
| "| " + join(" | ") + " |"
