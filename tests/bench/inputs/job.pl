# SPDX-License-Identifier: Apache-2.0
# perl: hashes, regular expressions, strings, sorting.
use strict;
use warnings;

my (%words, @lines);
my $seed = 1;
for my $i (1 .. 300000) {
  $seed = ($seed * 1103515245 + 12345) & 0x7fffffff;
  my $number = $seed >> 8;
  my $key = join '-', $number % 9973, $i % 7, $number % 5;
  $words{$key} .= "x$i,";
  push @lines, [$i, $key, { number => $number }] if $i % 3 == 0;
}
my $text = join "\n", map { "$_=$words{$_}" } sort keys %words;
my $hits = () = $text =~ /(\d+)-(\d+)-\d=x\1/g;
my @sorted = sort { $a->[1] cmp $b->[1] || $a->[0] <=> $b->[0] } @lines;
printf "%d %d %s\n", scalar keys %words, $hits, $sorted[0][1];

my $length = 0;
for my $line (split /\n/, $text) {
  my ($key, $value) = split /=/, $line, 2;
  my @parts = split /,/, $value;
  $value =~ s/x(\d+)/<$1>/g;
  $length += length($value) + @parts + length(ucfirst reverse $key);
}
print "$length\n";

my %by;
push @{ $by{ $_->[1] =~ s/-.*//r } }, "$_->[0]:$_->[2]{number}" for @lines;
my $sum = 0;
$sum += length join ',', sort @{ $by{$_} } for sort { $a <=> $b } keys %by;
print "$sum\n";
