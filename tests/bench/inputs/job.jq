# jq: reads it all, groups, changes and sorts it.
[.[] | select(.id % 3 != 0) | {id, name: (.name | ascii_upcase),
  tags: (.tags | map(. + "!") | join(" "))}]
| group_by(.tags)
| map({tags: .[0].tags, members: length, last: (map(.name) | max)})
| sort_by(-.members) | .[0:5]
