SELECT 1 AS a -- the day
