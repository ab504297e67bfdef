package main

// priceCommand keeps the price list.
type priceCommand struct {
	List priceList `cmd:"" help:"What things cost, now and from a day on."`
	Set  priceSet  `cmd:"" help:"Set the price of a message from a day on."`
}

// priceRow is the prices of one thing.
type priceRow struct {
	Item  string `json:"item"`
	Price int64  `json:"price_krw"`
	List  []struct {
		Price     int64  `json:"price_krw"`
		ValidFrom string `json:"valid_from"`
		State     string `json:"state"`
	} `json:"list"`
}

func (p priceRow) rows() (rows [][]string) {
	if len(p.List) == 0 {
		return [][]string{{p.Item, won(p.Price), "", "valid"}}
	}
	for _, dated := range p.List {
		rows = append(rows, []string{p.Item, won(dated.Price), dated.ValidFrom, dated.State})
	}
	return rows
}

// printPrices prints prices as a table.
func printPrices(e *env, prices ...priceRow) {
	var rows [][]string
	for _, p := range prices {
		rows = append(rows, p.rows()...)
	}
	_ = table(e.stdout, []string{"ITEM", "PRICE", "VALID FROM", "STATE"}, rows) // as any print to a terminal
}

type priceList struct {
	remote
}

// Run lists prices.
func (c priceList) Run(e *env) error {
	var prices struct{ Items []priceRow }
	return c.call(e, "GET", "/api/v1/prices", nil, &prices, func() { printPrices(e, prices.Items...) })
}

type priceSet struct {
	remote
	Price     int64  `arg:"" help:"KRW without VAT for each message that is delivered."`
	ValidFrom string `arg:"" help:"A day to come, as 2027-01-31; from 00:00 in Korea on. What is sealed before keeps its price."`
	DryRun    bool   `help:"Say what would happen, and do nothing."`
}

// Run sets a price.
func (c priceSet) Run(e *env) error {
	if c.DryRun {
		_, err := e.stdout.Write([]byte("would set " + won(c.Price) + " KRW a message from " + c.ValidFrom + " on; nothing was done\n"))
		return err
	}
	var p priceRow
	body := map[string]any{"item": "event_message", "price_krw": c.Price, "valid_from": c.ValidFrom}
	return c.call(e, "POST", "/api/v1/prices", body, &p, func() { printPrices(e, p) })
}
