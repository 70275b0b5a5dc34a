// What github.com/robfig/cron itself says of expressions that are made here: one line each on standard output, written to
// ../robfig_cron.tsv. See ../README.md.
package main

import (
	"bufio"
	"fmt"
	"math/rand"
	"os"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

const slotsPerLine = 6

var monthNames = strings.Fields("jan feb mar apr may jun jul aug sep oct nov dec")
var dayNames = strings.Fields("sun mon tue wed thu fri sat")

func value(r *rand.Rand, low, high int, names []string) string {
	v := low + r.Intn(high-low+1)
	if names != nil && r.Intn(3) == 0 {
		name := names[v-low]
		if r.Intn(2) == 0 {
			name = strings.ToUpper(name)
		}
		return name
	}
	return fmt.Sprint(v)
}

func entry(r *rand.Rand, low, high int, names []string) string {
	switch r.Intn(8) {
	case 0, 1:
		return value(r, low, high, names)
	case 2:
		a := low + r.Intn(high-low+1)
		b := a + r.Intn(high-a+1)
		return fmt.Sprintf("%d-%d", a, b)
	case 3:
		a := low + r.Intn(high-low+1)
		b := a + r.Intn(high-a+1)
		return fmt.Sprintf("%d-%d/%d", a, b, 1+r.Intn(9))
	case 4:
		return fmt.Sprintf("%s/%d", value(r, low, high, names), 1+r.Intn(12))
	case 5:
		return fmt.Sprintf("*/%d", 1+r.Intn(12))
	case 6:
		return "?"
	default:
		return "*"
	}
}

func field(r *rand.Rand, low, high int, names []string) string {
	entries := []string{entry(r, low, high, names)}
	for r.Intn(4) == 0 {
		entries = append(entries, entry(r, low, high, names))
	}
	return strings.Join(entries, ",")
}

func expression(r *rand.Rand) string {
	return strings.Join([]string{field(r, 0, 59, nil), field(r, 0, 23, nil), field(r, 1, 31, nil),
		field(r, 1, 12, monthNames), field(r, 0, 6, dayNames)}, " ")
}

func line(out *bufio.Writer, text, zone string, from time.Time) {
	location, err := time.LoadLocation(zone)
	if err != nil {
		panic(err)
	}
	schedule, err := cron.ParseStandard(text)
	slots := []string{}
	if err == nil {
		t := from.In(location)
		for i := 0; i < slotsPerLine; i++ {
			if t = schedule.Next(t); t.IsZero() {
				break
			}
			slots = append(slots, t.UTC().Format("2006-01-02T15:04:05"))
		}
	}
	answer := strings.Join(slots, " ")
	if err != nil {
		answer = "refused"
	} else if len(slots) == 0 {
		answer = "never"
	}
	fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", text, zone, from.Format("2006-01-02T15:04:05"), answer)
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	r := rand.New(rand.NewSource(1))
	utc := func(text string) time.Time {
		t, err := time.Parse("2006-01-02T15:04:05", text)
		if err != nil {
			panic(err)
		}
		return t
	}
	fixed := strings.Split("* * * * *|15 5 * * *|0 0 * * 0|0 0 1 1 *|0 0 31 * *|0 0 29 2 *|0 0 30 2 *|0 0 31 4,6,9,11 *|0 0 30 2 1|"+
		"0 0 13 * 5|0 0 13 * FRI|0 0 */2 * 1|0 0 */1 * 1|0 0 ? * MON|30 4 1,15 * 5|59 23 31 12 *|5/15 * * * *|0-10/5 8-16/4 * * 1-5|"+
		"@hourly|@daily|@midnight|@weekly|@monthly|@yearly|@annually|@reboot|@Daily|@every 1h30m|@every x|"+
		"|*|* * * *|* * * * * *|60 * * * *|* 24 * * *|* * 0 * *|* * 32 * *|* * * 0 *|* * * 13 *|* * * * 7|* * * * 8|-1 * * * *|"+
		"5-1 * * * *|*/0 * * * *|*/-1 * * * *|1-2-3 * * * *|1/2/3 * * * *|a * * * *|* * * janx *|* * * * mond|1- * * * *|*/ * * * *|"+
		"99999999999999999999 * * * *|1.5 * * * *|* * * FEB-MAR *|* * * * MON-FRI|* * * * FRI-MON|59-59/60 * * * *|*/100 * * * *", "|")
	for _, text := range fixed {
		if strings.HasPrefix(text, "@every 1") {
			continue // counted from the start of the process there
		}
		line(out, text, "UTC", utc("2026-01-15T09:07:31"))
	}
	for i := 0; i < 1200; i++ {
		from := utc("2024-01-01T00:00:00").Add(time.Duration(r.Intn(3*366*86400)) * time.Second)
		zone := []string{"UTC", "Asia/Kolkata", "America/Phoenix"}[i%3]
		line(out, expression(r), zone, from)
	}
	// Every hour: both follow real time where clocks change.
	changes := map[string][]string{
		"Europe/Oslo":         {"2026-03-29T01:00:00", "2026-10-25T01:00:00"},
		"America/New_York":    {"2026-03-08T07:00:00", "2026-11-01T06:00:00"},
		"America/Santiago":    {"2026-04-05T03:00:00", "2026-09-06T04:00:00"},
		"Australia/Lord_Howe": {"2026-04-04T15:00:00", "2026-10-03T15:30:00"},
	}
	for _, zone := range []string{"Europe/Oslo", "America/New_York", "America/Santiago", "Australia/Lord_Howe"} {
		for _, change := range changes[zone] {
			for i := 0; i < 30; i++ {
				text := field(r, 0, 59, nil) + " " + []string{"*", "*/1", "0-23", "?"}[r.Intn(4)] + " * * *"
				line(out, text, zone, utc(change).Add(-time.Duration(r.Intn(3*3600))*time.Second))
			}
		}
	}
}
