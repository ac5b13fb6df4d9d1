package sim

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"
)

// Map is a set of zones and the latencies between them.
type Map struct {
	Zones     []string
	Latencies [][]time.Duration // one way, from zone to zone
	Jitter    float64           // mean of an exponential delay added for each datagram, as a fraction of the latency
}

// regions holds one-way latencies between regions of a large cloud, in milliseconds: half of the round trips that are
// commonly measured between Virginia, Oregon, Ireland, Singapore and Sao Paulo.
var regions = struct {
	names []string
	ms    [][]float64
}{
	[]string{"us-east", "us-west", "eu-west", "ap-southeast", "sa-east"},
	[][]float64{
		{0.5, 31, 38, 108, 57},
		{31, 0.5, 68, 85, 87},
		{38, 68, 0.5, 80, 92},
		{108, 85, 80, 0.5, 160},
		{57, 87, 92, 160, 0.5},
	},
}

// RegionsMax is the number of zones that Regions offers.
const RegionsMax = 5

// Regions returns a map of the first count of five regions of the world.
func Regions(count int) *Map {
	m := &Map{Zones: regions.names[:count], Jitter: 0.05}
	for _, row := range regions.ms[:count] {
		m.Latencies = append(m.Latencies, millis(row[:count]))
	}
	return m
}

func millis(row []float64) []time.Duration {
	d := make([]time.Duration, len(row))
	for i, ms := range row {
		d[i] = time.Duration(ms * float64(time.Millisecond))
	}
	return d
}

// zonesMax bounds the zones of a map. A larger table is a mistake.
const zonesMax = 256

// ReadMap reads a table of comma-separated values. The first row names the zones; its first cell is ignored. Each
// further row has the name of a zone and its one-way latencies to all zones, in milliseconds.
func ReadMap(r io.Reader) (*Map, error) {
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(rows) < 2 || len(rows[0]) != len(rows) || len(rows) > zonesMax+1 {
		return nil, fmt.Errorf("want a row of 1 to %d zone names and one row for each of them", zonesMax)
	}
	m := &Map{Zones: rows[0][1:], Jitter: 0.05}
	for i, row := range rows[1:] {
		if row[0] != m.Zones[i] || row[0] == "" {
			return nil, fmt.Errorf("row %d is that of %q, want %q", i+2, row[0], m.Zones[i])
		}
		var values []float64
		for _, cell := range row[1:] {
			v, err := strconv.ParseFloat(cell, 64)
			if err != nil || !(v >= 0 && v <= 60_000) {
				return nil, fmt.Errorf("row %d: latency %q: want milliseconds from 0 to 60000", i+2, cell)
			}
			values = append(values, v)
		}
		m.Latencies = append(m.Latencies, millis(values))
	}
	return m, nil
}
