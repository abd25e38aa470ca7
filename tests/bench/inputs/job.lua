-- SPDX-License-Identifier: Apache-2.0
-- lua5.4: strings, tables, closures and patterns.
local function numbers(count)
  local seed = 1
  return function()
    if count == 0 then return nil end
    count = count - 1
    seed = (seed * 1103515245 + 12345) % 2147483648
    return seed // 256
  end
end

local words, lines = {}, {}
for number in numbers(300000) do
  local key = "key " .. number % 50021
  words[key] = (words[key] or "") .. string.char(97 + number % 26)
  if number % 3 == 0 then
    lines[#lines + 1] = { text = key .. " = " .. number, number = number }
  end
end
table.sort(lines, function(a, b) return a.number < b.number end)
print(#lines, lines[1].text)

local long = 0
for key, value in pairs(words) do
  long = long + #(key .. ":" .. value:upper():rep(2))
end
print(long)

local trees = 0
local function tree(depth)
  if depth == 0 then return {} end
  return { tree(depth - 1), tree(depth - 1), depth = depth }
end
local function count(node)
  return node[1] and 1 + count(node[1]) + count(node[2]) or 1
end
for _ = 1, 12 do trees = trees + count(tree(15)) end
print(trees)

local parts = {}
for i = 1, #lines do parts[i] = lines[i].text end
local text = table.concat(parts, "\n")
local found, sum = 0, 0
for key, number in text:gmatch("key (%d+) = (%d+)") do
  found, sum = found + 1, (sum + #key * #number) % 1000003
end
print(found, sum, #text:gsub("1%d", "<%0>"))

local makers = {}
for i = 1, 200000 do
  makers[i % 1000 + 1] = function(x) return x + i end
end
print(makers[1](1))
