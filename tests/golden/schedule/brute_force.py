"""Slots around changes of the clock, found by looking at every minute there is; written to zones.tsv. See README.md.

It shares nothing with src/scheduler: Python's zoneinfo, a parser by regular expressions, and for each minute of real time the question
whether the wall clock shows something that the schedule names.
"""

import datetime
import random
import re
import zoneinfo

UTC = datetime.timezone.utc
MINUTE = datetime.timedelta(minutes=1)
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
DAYS = "sun mon tue wed thu fri sat".split()
ORDINALS = {"1st": 1, "first": 1, "2nd": 2, "second": 2, "3rd": 3, "third": 3, "4th": 4, "fourth": 4, "5th": 5, "fifth": 5}
# Zone, and instants around which to look. Half an hour, midnight, a whole day, a change of the standard time.
CHANGES = [
    ("Europe/Oslo", "2026-03-29T01:00"), ("Europe/Oslo", "2026-10-25T01:00"), ("America/New_York", "2026-03-08T07:00"),
    ("America/New_York", "2026-11-01T06:00"), ("Australia/Lord_Howe", "2026-04-04T15:00"), ("Australia/Lord_Howe", "2026-10-03T15:30"),
    ("America/Sao_Paulo", "2018-11-04T03:00"), ("America/Sao_Paulo", "2018-02-18T02:00"), ("Pacific/Apia", "2011-12-30T10:00"),
    ("Asia/Pyongyang", "2015-08-14T15:00"), ("Asia/Pyongyang", "2018-05-04T15:00"), ("Africa/Cairo", "2026-10-29T21:00"),
    ("Africa/Cairo", "2026-04-23T22:00"), ("America/St_Johns", "2006-04-02T03:31"), ("America/St_Johns", "2006-10-29T02:31"),
    ("Asia/Kathmandu", "2026-03-29T01:00"), ("UTC", "2026-03-29T01:00"),
]


def numbers(text, low, high, names=()):
    found = set()
    for part in text.lower().split(","):
        match = re.fullmatch(r"(\*|\?|\w+)(?:-(\w+))?(?:/(\d+))?", part)
        first, last, step = match.groups()
        value = lambda word: names.index(word) + low if word in names else int(word)  # noqa: E731
        begin = low if first in "*?" else value(first)
        end = high if first in "*?" or (step and not last) else value(last or first)
        found |= set(range(begin, end + 1, int(step or 1)))
    return found


class Cron:
    def __init__(self, text):
        minute, hour, day, month, weekday = text.split()
        self.minutes, self.hours = numbers(minute, 0, 59), numbers(hour, 0, 23)
        self.days, self.months, self.weekdays = numbers(day, 1, 31), numbers(month, 1, 12, MONTHS), numbers(weekday, 0, 6, DAYS)
        free = lambda field: any(re.fullmatch(r"[*?](/1)?", part) for part in field.split(","))  # noqa: E731
        self.either = not (free(day) or free(weekday))
        every_hour = self.hours == set(range(24))
        self.at_jump = not every_hour
        self.both_passes = every_hour or any(part[0] in "*?" for part in minute.split(","))

    def names(self, local):
        if local.minute not in self.minutes or local.hour not in self.hours or local.month not in self.months:
            return False
        by_day, by_weekday = local.day in self.days, (local.weekday() + 1) % 7 in self.weekdays
        return (by_day or by_weekday) if self.either else (by_day and by_weekday)


class Specific:
    """(every | ordinals) (day | weekdays) [of months] HH:MM; days of months HH:MM"""

    at_jump, both_passes = True, False

    def __init__(self, text):
        match = re.fullmatch(r"(every|[\w,]+?)(?: (day|(?!of)[a-z,]+))?(?: of ([\w, ]+?))? (\d+):(\d\d)", text)
        first, days, months, hour, minute = match.groups()
        self.time = (int(hour), int(minute))
        self.months = self.months_of(months)
        self.month_days = self.ordinals = self.weekdays = None
        if first != "every" and (days is None or days == "day"):
            self.month_days = {ORDINALS.get(word) or int(word) for word in first.split(",")}
        elif days != "day":
            self.weekdays = {DAYS.index(word[:3]) for word in days.split(",")}
            self.ordinals = set(range(1, 6)) if first == "every" else {ORDINALS[word] for word in first.split(",")}

    @staticmethod
    def months_of(text):
        if text is None or text == "month":
            return set(range(1, 13))
        if text.endswith("quarter"):
            firsts = {ORDINALS[word] for word in text.split(" ")[0].split(",")} if " " in text else {1}
            return {m for m in range(1, 13) if (m - 1) % 3 + 1 in firsts}
        return {MONTHS.index(word[:3]) + 1 for word in text.split(",")}

    def names(self, local):
        if (local.hour, local.minute) != self.time or local.month not in self.months:
            return False
        if self.month_days is not None:
            return local.day in self.month_days
        return self.weekdays is None or ((local.weekday() + 1) % 7 in self.weekdays and (local.day - 1) // 7 + 1 in self.ordinals)


def minutes_of(zone, begin, end):
    """(instant, local time, first pass?, local times that were skipped just before) of every minute."""
    before = None
    instant = begin
    while instant <= end:
        shown = instant.astimezone(zone)
        local = shown.replace(tzinfo=None, fold=0)
        skipped = []
        if before is not None and local - before > MINUTE:
            skipped = [before + MINUTE * (i + 1) for i in range(int((local - before) / MINUTE) - 1)]
        yield instant, local, shown.fold == 0, skipped
        before = local
        instant += MINUTE


def named_slots(rule, minutes):
    for instant, local, is_first_pass, skipped in minutes:
        if (rule.names(local) and (is_first_pass or rule.both_passes)) or (rule.at_jump and any(map(rule.names, skipped))):
            yield instant


def range_slots(step, start, end, minutes):
    """Each day from the start, every `step`, to the end; the start itself always."""
    began, is_open = None, False
    for instant, local, is_first_pass, skipped in minutes:
        shown = [(t.hour, t.minute) for t in skipped] + ([(local.hour, local.minute)] if is_first_pass else [])
        closes = False
        for clock in shown:
            if clock == start:
                began, is_open, closes = instant, True, start == end
            elif clock == end:
                closes = True
        if is_open and (instant - began) % step == datetime.timedelta(0):
            yield instant
        if closes:
            is_open = False


def cron_texts(choice):
    minute = choice.choice(["0", "30", "7", "*/10", "*/15", "0,30", "15-45/15", "59", "5/20", "*", "?", "0,*/30"])
    hour = choice.choice(["*", "*/2", "2", "1-3", "0", "3", "23", "0-23", "1,2", "8-16", "0-12", "*/6", "2/4", "*/1"])
    day = choice.choice(["*", "*", "*", "29", "1-7", "*/2", "8,25"])
    weekday = choice.choice(["*", "*", "*", "SUN", "1-5", "?", "SAT,SUN"])
    return " ".join([minute, hour, day, "*", weekday])


def specific_text(choice):
    time = "%02d:%02d" % (choice.choice([0, 1, 1, 2, 2, 2, 3, 9, 23]), choice.choice([0, 0, 15, 30, 45, 59]))
    days = choice.choice(["every day", "every sun", "every mon,sun", "every fri,sat", "4,8,29 of month", "first,last".replace("last", "5th") + " sunday of month",
                          "1st,2nd,3rd,4th,fifth sun,sat of month", "every day of mar,oct,november", "1st,2nd,3rd month".replace(" month", " sunday"),
                          "every sunday of quarter", "every day of 1st,third month of quarter", "2nd,4th day of month"])
    return days + " " + time


def range_text(choice):
    count, unit = choice.choice([(1, "hours"), (2, "hours"), (5, "hours"), (30, "minutes"), (20, "mins"), (90, "minutes"), (3, "hours")])
    if choice.random() < 0.4 and 1440 % (count * (60 if unit == "hours" else 1)) == 0:
        return "every %d %s synchronized" % (count, unit)
    clock = lambda: "%02d:%02d" % (choice.choice([0, 1, 2, 2, 3, 8, 20, 22]), choice.choice([0, 0, 10, 30]))  # noqa: E731
    return "every %d %s from %s to %s" % (count, unit, clock(), clock())


def slots_of(kind, text, zone, begin, end):
    # Two days before, so that a range that began earlier is seen.
    minutes = minutes_of(zone, begin - datetime.timedelta(days=2), end)
    if kind == "cron":
        found = named_slots(Cron(text), minutes)
    elif re.match(r"every \d", text):
        _, count, unit, *rest = text.split()
        step = MINUTE * int(count) * (60 if unit == "hours" else 1)
        clock = lambda word: tuple(int(part) for part in word.split(":"))  # noqa: E731
        start, stop = ((0, 0), (23, 59)) if rest == ["synchronized"] else (clock(rest[1]), clock(rest[3]))
        found = range_slots(step, start, stop, minutes)
    else:
        found = named_slots(Specific(text), minutes)
    return [instant for instant in found if instant > begin]


def main():
    choice = random.Random(3)
    for zone_name, change in CHANGES:
        zone = zoneinfo.ZoneInfo(zone_name)
        at = datetime.datetime.fromisoformat(change).replace(tzinfo=UTC)
        texts = [("cron", cron_texts(choice)) for _ in range(22)]
        texts += [("every", specific_text(choice)) for _ in range(12)] + [("every", range_text(choice)) for _ in range(10)]
        for kind, text in texts:
            many = kind == "cron" and re.match(r"[*?] ", text)
            begin = at - datetime.timedelta(hours=choice.randint(1, 3 if many else 20), minutes=choice.randint(0, 59))
            end = at + datetime.timedelta(hours=4 if many else choice.randint(20, 60))
            slots = slots_of(kind, text, zone, begin, end)
            form = "%Y-%m-%dT%H:%M:%S"
            print("\t".join([kind, text, zone_name, begin.strftime(form), end.strftime(form), " ".join(s.strftime(form) for s in slots)]))


if __name__ == "__main__":
    main()
