// The next slots of each line of standard input, "cron<TAB>zone<TAB>after in seconds<TAB>count", as seconds since 1970: what a
// CronJob of Kubernetes with this schedule and timeZone has. See ../../README.md, foreign.tsv.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

func main() {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		part := strings.Split(in.Text(), "\t")
		zone, err := time.LoadLocation(part[1])
		if err != nil {
			panic(err)
		}
		// As pkg/controller/cronjob does it: the zone is a prefix of the text.
		schedule, err := cron.ParseStandard("TZ=" + zone.String() + " " + part[0])
		if err != nil {
			panic(err)
		}
		after, _ := strconv.ParseInt(part[2], 10, 64)
		count, _ := strconv.Atoi(part[3])
		at := time.Unix(after, 0)
		var slots []string
		for i := 0; i < count; i++ {
			at = schedule.Next(at)
			slots = append(slots, strconv.FormatInt(at.Unix(), 10))
		}
		fmt.Println(strings.Join(slots, " "))
	}
}
