"""What App Engine's own parser of schedules says of texts that are made here; written to groc.tsv. See README.md."""

import datetime
import io
import random
import sys
from contextlib import redirect_stderr

sys.path.insert(0, sys.argv[1] if len(sys.argv) > 1 else "/usr/lib/google-cloud-sdk/lib")
sys.path.insert(1, sys.path[0] + "/third_party")
from googlecloudsdk.appengine.googlecron import groctimespecification  # noqa: E402

ORDINALS = ["1st", "first", "2nd", "second", "3rd", "third", "4th", "fourth", "5th", "fifth"]
WEEKDAYS = ["mon", "monday", "tue", "tuesday", "wed", "wednesday", "thu", "thursday", "fri", "friday", "sat", "saturday", "sun", "sunday"]
MONTHS = ["jan", "january", "feb", "february", "mar", "march", "apr", "april", "may", "jun", "june", "jul", "july", "aug", "august",
          "sep", "september", "oct", "october", "nov", "november", "dec", "december"]
SLOTS = 5


def some(choice, names, most):
    return ",".join(choice.choice(names) for _ in range(choice.randint(1, most)))


def time(choice):
    hour, minute = choice.randint(0, 23), choice.randint(0, 59)
    return choice.choice(["%02d:%02d", "%d:%02d"]) % (hour, minute)


def months(choice):
    return "of " + choice.choice(["month", "quarter", some(choice, MONTHS, 3),
                                  some(choice, ["1st", "2nd", "third", "first", "second", "3rd"], 2) + " month of quarter"])


def text(choice):
    kind = choice.randint(0, 6)
    if kind <= 1:
        unit = choice.choice(["hours", "minutes", "mins"])
        words = ["every", str(choice.choice([1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 24, 30, 45, 48, 60, 90, 240])), unit]
        tail = choice.choice(["", "", "synchronized", "from %s to %s" % (time(choice), time(choice))])
        return " ".join(words + ([tail] if tail else []))
    if kind == 2:
        days = ",".join(str(choice.randint(1, 31)) for _ in range(choice.randint(1, 4)))
        return "%s %s %s" % (days, months(choice), time(choice))
    order = choice.choice(["every", some(choice, ORDINALS, 3)])
    day = choice.choice(["day", some(choice, WEEKDAYS, 3)])
    where = months(choice) if order != "every" and day == "day" or choice.random() < 0.6 else ""
    return " ".join(word for word in (order, day, where, time(choice)) if word)


def broken(choice, whole):
    words = whole.split()
    at = choice.randrange(len(words))
    change = choice.randint(0, 3)
    if change == 0:
        del words[at]
    elif change == 1:
        words[at] = choice.choice(["of", "every", "month", "x", "25:00", "12:60", "0", "32", "6th", "to", "from", "day", "1st"])
    elif change == 2:
        words.insert(at, choice.choice(["of", "every", "month", "quarter", "synchronized", "09:00"]))
    else:
        words.append(choice.choice(["09:00", "of month", "synchronized", "x"]))
    return " ".join(words)


def matches(schedule, start):
    with redirect_stderr(io.StringIO()):
        try:
            specification = groctimespecification.GrocTimeSpecification(schedule)
            return [t.strftime("%Y-%m-%dT%H:%M:%S") for t in specification.GetMatches(start, SLOTS)]
        except Exception:  # pylint: disable=broad-except
            return ["refused"]


FIXED = """every 24 hours|every 5 minutes|every 24 hours synchronized|every 2 hours synchronized|every 7 hours synchronized
every 2 hours from 10:00 to 14:00|every mon,thu 09:30|1st,third monday of month 04:00|1,15,31 of month 08:00
first sunday of quarter 00:00|2nd wednesday of jan,apr 17:00|every weekday 09:00|last day of month 00:00|every day 00:00
every 12 hours|1 of jan,april,july,oct 00:00|every 5 minutes from 10:00 to 14:00|every monday 09:00
2nd,third mon,wed,thu of march 17:00|1st monday of sep,oct,nov 17:00|first monday of september,october,november 10:00
every 1 hours from 22:00 to 04:00|every 30 mins from 09:15 to 09:15|1,2 of first month of quarter 12:00|30 of feb 00:00|31 of apr,jun 00:00
29 of feb 00:00|fifth monday of feb 00:00|every 0 hours|every 25 hours synchronized|EVERY 2 HOURS|Every Mon 9:00|every 1 , 2 hours
1 , 15 of month 09:00|0 of month 09:00|32 of month 09:00|first day of month 05:00|2nd day of quarter 05:00|every day of jan 05:00""".replace("\n", "|").split("|")


def main():
    choice = random.Random(2)
    texts = list(FIXED)
    for _ in range(700):
        whole = text(choice)
        texts.append(whole if choice.random() < 0.7 else broken(choice, whole))
    for schedule in texts:
        start = datetime.datetime(2026, 1, 15, 9, 7, 31) + datetime.timedelta(seconds=choice.randrange(400 * 86400))
        print("%s\t%s\t%s" % (schedule, start.strftime("%Y-%m-%dT%H:%M:%S"), " ".join(matches(schedule, start))))


if __name__ == "__main__":
    main()
