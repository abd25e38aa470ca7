-- sqlite3: fills, indexes, joins, groups and updates tables in memory.
create table item(id integer primary key, name text, weight real, tag blob);
with recursive n(i) as (select 1 union all select i + 1 from n
                        where i < 250000)
insert into item select i, printf('item %d', i * 7919 % 250007), i / 7.0,
                        hex(i * i) from n;
create index item_by_name on item(name);
create table entry(id integer primary key, item integer, text text);
with recursive n(i) as (select 1 union all select i + 1 from n
                        where i < 250000)
insert into entry select i, i * 31 % 250000 + 1,
                         'entry ' || i || ' of ' || i % 97 from n;
create index entry_by_item on entry(item);
create table sums as select substr(name, 1, 8) as prefix, count(*) as members,
  sum(weight) as weight, group_concat(id % 10) as digits from item group by 1;
update item set name = name || ' again' where id % 3 = 0;
delete from entry where id % 7 = 0;
select count(*), min(name), max(name), round(sum(weight), 3) from item;
select prefix, members, round(weight, 3), length(digits) from sums
  order by members desc, prefix limit 20;
select count(*), sum(length(i.name || e.text)) from item i
  join entry e on e.item = i.id;
select substr(e.text, 1, 8) as start, count(*), max(i.name) from item i
  join entry e on e.item = i.id group by 1 order by 2 desc, 1 limit 10;
select count(distinct upper(name) || length(tag)) from item;
select length(json_group_array(json_object('id', id, 'tag', tag))) from item
  where id < 40000;
select sum(length(replace(text, 'entry', 'line of the book'))) from entry;
