package intake

import (
	"net/http"
	"strings"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/broadcast"
)

// guard is what a route asks of its caller: a scope of his token, and a permission on an object.
type guard struct {
	scope access.Scope
	right access.Permission
	on    place
	// and is a second permission, on an object that the body may name as well.
	and *demand
	// quiet says that the audit log does not keep the call: its row does, and there are too many.
	quiet bool
}

// place says which object a route is about and where the call names it: "path.id", or "body.bot",
// where an empty field names none. The platform is not named.
type place struct {
	kind access.Kind
	in   string
	id   func(text string) string // what the id is where the call spells it in another way; nil for the text itself
}

type demand struct {
	right access.Permission
	on    place
}

// anyToken is the scope of routes for which every good token will do.
const anyToken access.Scope = ""

// Where most routes name their object.
var (
	platform     = place{kind: access.Platform}
	theAccount   = place{kind: access.OfAccount, in: "path.id"}
	theToken     = place{kind: access.OfToken, in: "path.id"}
	theCard      = place{kind: access.OfCard, in: "path.id"}
	theCheckout  = place{kind: access.OfCheckout, in: "path.id"}
	theWallet    = place{kind: access.OfWallet, in: "path.id"}
	theBot       = place{kind: access.OfBot, in: "path.id"}
	theBroadcast = place{kind: access.OfBroadcast, in: "path.id"}
	theWebhook   = place{kind: access.OfWebhook, in: "path.id"}
	theAudience  = place{kind: access.OfAudience, in: "path.id"}
	theSchedule  = place{kind: access.OfSchedule, in: "path.id"}

	// Kakao's own addresses speak Kakao's words: a bot id may end in the mark of the development channel,
	// and a task is a broadcast.
	theCalledBot = place{kind: access.OfBot, in: "path.bot", id: func(text string) string { return strings.TrimSuffix(text, developmentMark) }}
	theTask      = place{kind: access.OfBroadcast, in: "path.task", id: func(text string) string {
		id, _ := broadcast.OfReceipt(text)
		return string(id)
	}}
)

// named says that the body of a call names an object in a field.
func named(kind access.Kind, field string) place { return place{kind: kind, in: "body." + field} }

// routes is what each route of the API asks for. A route that is not in it answers nobody. What
// the roles may do is in internal/access, whose a kind of object is in store/role.go; who is let in is
// written once more by hand, in the tests of this package.
var routes = map[string]guard{
	"GET /api/v1/me":             {scope: anyToken, right: access.SeePublic, on: platform},
	"POST /api/v1/tokens":        {scope: access.Admin, right: access.KeepTokens, on: named(access.OfAccount, "account")},
	"GET /api/v1/tokens":         {scope: access.Admin, right: access.ListOwn, on: platform},
	"DELETE /api/v1/tokens/{id}": {scope: access.Admin, right: access.KeepTokens, on: theToken},

	"POST /api/v1/accounts":              {scope: access.Admin, right: access.KeepPlatform, on: platform},
	"GET /api/v1/accounts":               {scope: access.Read, right: access.ListOwn, on: platform},
	"GET /api/v1/accounts/{id}":          {scope: access.Read, right: access.ReadAccount, on: theAccount},
	"PATCH /api/v1/accounts/{id}":        {scope: access.Admin, right: access.KeepPlatform, on: theAccount},
	"PUT /api/v1/accounts/{id}/admin":    {scope: access.Admin, right: access.KeepPlatform, on: theAccount},
	"DELETE /api/v1/accounts/{id}/admin": {scope: access.Admin, right: access.KeepPlatform, on: theAccount},
	"POST /api/v1/accounts/{id}/cards":   {scope: access.Billing, right: access.RegisterCard, on: theAccount},
	"GET /api/v1/accounts/{id}/cards":    {scope: access.Read, right: access.ReadCards, on: theAccount},
	"GET /api/v1/cards/{id}":             {scope: access.Read, right: access.ReadCards, on: theCard},
	"DELETE /api/v1/cards/{id}":          {scope: access.Billing, right: access.RemoveCard, on: theCard},

	"POST /api/v1/wallets":                              {scope: access.Admin, right: access.OpenWallet, on: named(access.OfAccount, "master")},
	"GET /api/v1/wallets":                               {scope: access.Read, right: access.ListOwn, on: platform},
	"GET /api/v1/wallets/{id}":                          {scope: access.Read, right: access.ReadWallet, on: theWallet},
	"PATCH /api/v1/wallets/{id}":                        {scope: access.Billing, right: access.ChangeWallet, on: theWallet},
	"DELETE /api/v1/wallets/{id}":                       {scope: access.Billing, right: access.ChangeWallet, on: theWallet},
	"POST /api/v1/wallets/{id}/grants":                  {scope: access.Admin, right: access.GiveCash, on: theWallet},
	"GET /api/v1/wallets/{id}/grants":                   {scope: access.Read, right: access.ReadWallet, on: theWallet},
	"POST /api/v1/wallets/{id}/grants/{grant}/use":      {scope: access.Billing, right: access.UseCash, on: theWallet},
	"PUT /api/v1/wallets/{id}/members/{account}":        {scope: access.Admin, right: access.GiveWalletWork, on: theWallet}, // KeepMembers for another role than worker
	"DELETE /api/v1/wallets/{id}/members/{account}":     {scope: access.Admin, right: access.LeaveWallet, on: theWallet},    // as PUT for another than oneself
	"GET /api/v1/wallets/{id}/postings":                 {scope: access.Read, right: access.ReadWallet, on: theWallet},
	"GET /api/v1/wallets/{id}/history":                  {scope: access.Read, right: access.ReadWallet, on: theWallet},
	"GET /api/v1/wallets/{id}/days":                     {scope: access.Read, right: access.ReadWallet, on: theWallet},
	"GET /api/v1/wallets/{id}/statements/{month}":       {scope: access.Read, right: access.ReadWallet, on: theWallet},
	"GET /api/v1/wallets/{id}/charges":                  {scope: access.Read, right: access.ReadWallet, on: theWallet},
	"POST /api/v1/wallets/{id}/topups":                  {scope: access.Billing, right: access.TopUp, on: theWallet},
	"PUT /api/v1/wallets/{id}/cards":                    {scope: access.Billing, right: access.PutCards, on: theWallet},
	"POST /api/v1/wallets/{id}/cards":                   {scope: access.Billing, right: access.PutCards, on: theWallet},
	"DELETE /api/v1/wallets/{id}/cards/{card}":          {scope: access.Billing, right: access.PutCards, on: theWallet},
	"GET /api/v1/wallets/{id}/cards":                    {scope: access.Read, right: access.ReadWallet, on: theWallet},
	"POST /api/v1/wallets/{id}/reconnect":               {scope: access.Billing, right: access.Reconnect, on: theWallet},
	"GET /api/v1/reviews":                               {scope: access.Read, right: access.KeepPlatform, on: platform},
	"GET /api/v1/reviews/checkouts":                     {scope: access.Read, right: access.KeepPlatform, on: platform},
	"POST /api/v1/checkouts/{id}/decide":                {scope: access.Billing, right: access.KeepPlatform, on: platform},
	"POST /api/v1/charges/{id}/decide":                  {scope: access.Billing, right: access.KeepPlatform, on: platform},
	"GET /api/v1/wallets/{id}/why":                      {scope: access.Read, right: access.ReadWallet, on: theWallet},
	"GET /api/v1/wallets/{id}/charges/{charge}/origins": {scope: access.Read, right: access.ReadWallet, on: theWallet},
	"GET /api/v1/reconciliation":                        {scope: access.Read, right: access.KeepPlatform, on: platform},
	"POST /api/v1/wallets/{id}/corrections":             {scope: access.Billing, right: access.KeepPlatform, on: theWallet},
	"GET /api/v1/checkouts/{id}":                        {scope: access.Read, right: access.ReadCheckout, on: theCheckout},

	"POST /api/v1/wallets/{id}/refunds":                 {scope: access.Billing, right: access.AskRefund, on: theWallet},
	"POST /api/v1/wallets/{id}/refunds/quote":           {scope: access.Read, right: access.ReadWallet, on: theWallet, quiet: true},
	"GET /api/v1/wallets/{id}/refunds":                  {scope: access.Read, right: access.ReadWallet, on: theWallet},
	"GET /api/v1/wallets/{id}/refunds/{refund}":         {scope: access.Read, right: access.ReadWallet, on: theWallet},
	"POST /api/v1/wallets/{id}/refunds/{refund}/settle": {scope: access.Billing, right: access.KeepPlatform, on: theWallet},
	"PUT /api/v1/wallets/{id}/refund-account":           {scope: access.Billing, right: access.AskRefund, on: theWallet},
	"GET /api/v1/wallets/{id}/refund-account":           {scope: access.Read, right: access.ReadWallet, on: theWallet},
	"PUT /api/v1/wallets/{id}/representative":           {scope: access.Admin, right: access.KeepPlatform, on: theWallet},

	"GET /api/v1/invoices":                                 {scope: access.Read, right: access.KeepPlatform, on: platform},
	"GET /api/v1/wallets/{id}/invoices":                    {scope: access.Read, right: access.ReadWallet, on: theWallet},
	"GET /api/v1/wallets/{id}/invoices/{invoice}":          {scope: access.Read, right: access.ReadWallet, on: theWallet},
	"GET /api/v1/wallets/{id}/invoices/{invoice}/document": {scope: access.Read, right: access.ReadWallet, on: theWallet},
	"POST /api/v1/wallets/{id}/invoices/{invoice}/reissue": {scope: access.Billing, right: access.ChangeWallet, on: theWallet},
	"POST /api/v1/wallets/{id}/invoices/{invoice}/amend":   {scope: access.Billing, right: access.ChangeWallet, on: theWallet},
	"POST /api/v1/wallets/{id}/invoices/{invoice}/settle":  {scope: access.Billing, right: access.KeepPlatform, on: theWallet},
	"POST /api/v1/wallets/{id}/invoices/{invoice}/send":    {scope: access.Billing, right: access.ChangeWallet, on: theWallet},

	"GET /api/v1/wallets/{id}/mails":                           {scope: access.Read, right: access.ReadWallet, on: theWallet},
	"POST /api/v1/wallets/{id}/mails/{mail}/resend":            {scope: access.Billing, right: access.ChangeWallet, on: theWallet},
	"GET /api/v1/wallets/{id}/mails/mutes":                     {scope: access.Read, right: access.ReadWallet, on: theWallet},
	"PUT /api/v1/wallets/{id}/mails/mutes/{account}/{case}":    {scope: access.Billing, right: access.MuteMails, on: theWallet}, // ChangeWallet for another than oneself
	"DELETE /api/v1/wallets/{id}/mails/mutes/{account}/{case}": {scope: access.Billing, right: access.MuteMails, on: theWallet}, // the same

	"POST /api/v1/bots":                                 {scope: access.Admin, right: access.KeepPlatform, on: platform},
	"GET /api/v1/bots":                                  {scope: access.Read, right: access.ListOwn, on: platform},
	"GET /api/v1/bots/{id}":                             {scope: access.Read, right: access.ReadBot, on: theBot},
	"PATCH /api/v1/bots/{id}":                           {scope: access.Admin, right: access.KeepBot, on: theBot, and: &demand{access.BillWallet, named(access.OfWallet, "wallet")}},
	"POST /api/v1/bots/{id}/skill-key":                  {scope: access.Admin, right: access.KeepBot, on: theBot},
	"POST /api/v1/bots/{id}/webhook-secret":             {scope: access.Admin, right: access.KeepBot, on: theBot},
	"GET /api/v1/bots/{id}/utterances":                  {scope: access.Read, right: access.EditBlocks, on: theBot}, // what people say is for whoever answers them
	"GET /api/v1/bots/{id}/replay":                      {scope: access.Read, right: access.EditBlocks, on: theBot},
	"GET /api/v1/bots/{id}/unanswered":                  {scope: access.Read, right: access.EditBlocks, on: theBot},
	"GET /api/v1/bots/{id}/explain":                     {scope: access.Read, right: access.ReadBot, on: theBot},
	importVersionRoute:                                  {scope: access.Admin, right: access.EditBlocks, on: theBot},
	"POST /api/v1/bots/{id}/knowledge":                  {scope: access.Admin, right: access.EditBlocks, on: theBot},
	"GET /api/v1/bots/{id}/versions":                    {scope: access.Read, right: access.ReadBot, on: theBot},
	"GET /api/v1/bots/{id}/versions/{version}":          {scope: access.Read, right: access.ReadBot, on: theBot},
	"GET /api/v1/bots/{id}/versions/{version}/diff":     {scope: access.Read, right: access.ReadBot, on: theBot},
	"GET /api/v1/bots/{id}/versions/{version}/content":  {scope: access.Read, right: access.ReadBot, on: theBot},
	"POST /api/v1/bots/{id}/versions/{version}/deploy":  {scope: access.Admin, right: access.EditBlocks, on: theBot},
	"POST /api/v1/bots/{id}/rollback":                   {scope: access.Admin, right: access.EditBlocks, on: theBot},
	"GET /api/v1/bots/{id}/deploys":                     {scope: access.Read, right: access.ReadBot, on: theBot},
	"GET /api/v1/bots/{id}/blocks":                      {scope: access.Read, right: access.ReadBot, on: theBot},
	"PUT /api/v1/bots/{id}/channels/{side}":             {scope: access.Admin, right: access.KeepBot, on: theBot},
	"PATCH /api/v1/bots/{id}/channels/{side}":           {scope: access.Admin, right: access.KeepBot, on: theBot},
	"POST /api/v1/bots/{id}/channels/{side}/connect":    {scope: access.Admin, right: access.KeepBot, on: theBot},
	"POST /api/v1/bots/{id}/channels/{side}/disconnect": {scope: access.Admin, right: access.KeepBot, on: theBot},
	"PUT /api/v1/apps/{id}":                             {scope: access.Admin, right: access.KeepPlatform, on: platform},
	"GET /api/v1/apps":                                  {scope: access.Read, right: access.KeepPlatform, on: platform},
	"POST /api/v1/bots/{id}/resume":                     {scope: access.Admin, right: access.ResumeBot, on: theBot},
	"GET /api/v1/bots/{id}/purges":                      {scope: access.Read, right: access.ReadBot, on: theBot},

	"GET /api/v1/bots/{id}/plugins":                         {scope: access.Read, right: access.ReadBot, on: theBot},
	"POST /api/v1/bots/{id}/plugins":                        {scope: access.Admin, right: access.KeepBot, on: theBot},
	"PATCH /api/v1/bots/{id}/plugins/{plugin}":              {scope: access.Admin, right: access.KeepBot, on: theBot},
	"DELETE /api/v1/bots/{id}/plugins/{plugin}":             {scope: access.Admin, right: access.KeepBot, on: theBot},
	"GET /api/v1/bots/{id}/certification-blocks":            {scope: access.Read, right: access.ReadBot, on: theBot},
	"PUT /api/v1/bots/{id}/certification-blocks/{block}":    {scope: access.Admin, right: access.KeepBot, on: theBot},
	"DELETE /api/v1/bots/{id}/certification-blocks/{block}": {scope: access.Admin, right: access.KeepBot, on: theBot},

	"POST /api/v1/broadcasts":                {scope: access.Send, right: access.OrderBroadcast, on: named(access.OfBot, "bot"), quiet: true},
	"GET /api/v1/broadcasts":                 {scope: access.Read, right: access.ListOwn, on: platform},
	"GET /api/v1/broadcasts/{id}":            {scope: access.Read, right: access.ReadBroadcast, on: theBroadcast},
	"PUT /api/v1/broadcasts/{id}/recipients": {scope: access.Send, right: access.OrderBroadcast, on: theBroadcast, quiet: true},
	fromAudienceRoute:                        {scope: access.Send, right: access.OrderBroadcast, on: theBroadcast, and: &demand{access.OrderBroadcast, named(access.OfAudience, "audience")}, quiet: true},
	"POST /api/v1/broadcasts/{id}/seal":      {scope: access.Send, right: access.OrderBroadcast, on: theBroadcast},
	"POST /api/v1/broadcasts/{id}/approve":   {scope: access.Send, right: access.SteerBroadcast, on: theBroadcast},
	"POST /api/v1/broadcasts/{id}/pause":     {scope: access.Send, right: access.SteerBroadcast, on: theBroadcast},
	"POST /api/v1/broadcasts/{id}/resume":    {scope: access.Send, right: access.SteerBroadcast, on: theBroadcast},
	"POST /api/v1/broadcasts/{id}/cancel":    {scope: access.Send, right: access.SteerBroadcast, on: theBroadcast},
	"POST /api/v1/broadcasts/{id}/retry":     {scope: access.Send, right: access.OrderBroadcast, on: theBroadcast, quiet: true},
	"GET /api/v1/broadcasts/{id}/quote":      {scope: access.Read, right: access.ReadBroadcast, on: theBroadcast},
	"POST /api/v1/broadcasts/{id}/preview":   {scope: access.Read, right: access.ReadPeople, on: theBroadcast, quiet: true},
	"POST /api/v1/broadcasts/{id}/test":      {scope: access.Send, right: access.OrderBroadcast, on: theBroadcast, quiet: true},
	"POST /api/v1/broadcasts/{id}/decide":    {scope: access.Billing, right: access.KeepPlatform, on: theBroadcast},
	"GET /api/v1/broadcasts/{id}/chunks":     {scope: access.Read, right: access.ReadBroadcast, on: theBroadcast},
	eventsRoute:                              {scope: access.Read, right: access.ReadBroadcast, on: theBroadcast},
	"GET /api/v1/broadcasts/{id}/failures":   {scope: access.Read, right: access.ReadPeople, on: theBroadcast},

	"POST /api/v1/audiences":        {scope: access.Send, right: access.OrderBroadcast, on: named(access.OfBot, "bot"), quiet: true},
	"GET /api/v1/audiences":         {scope: access.Read, right: access.ListOwn, on: platform},
	"GET /api/v1/audiences/{id}":    {scope: access.Read, right: access.ReadBroadcast, on: theAudience},
	"DELETE /api/v1/audiences/{id}": {scope: access.Send, right: access.OrderBroadcast, on: theAudience},
	audienceRoute:                   {scope: access.Send, right: access.OrderBroadcast, on: theAudience, quiet: true},

	"GET /api/v1/bots/{id}/suppressions":    {scope: access.Read, right: access.ReadPeople, on: theBot},
	"PUT /api/v1/bots/{id}/suppressions":    {scope: access.Send, right: access.OrderBroadcast, on: theBot},
	"DELETE /api/v1/bots/{id}/suppressions": {scope: access.Send, right: access.OrderBroadcast, on: theBot},
	"GET /api/v1/bots/{id}/consents":        {scope: access.Read, right: access.ReadPeople, on: theBot},
	"PUT /api/v1/bots/{id}/consents":        {scope: access.Send, right: access.OrderBroadcast, on: theBot},
	"DELETE /api/v1/bots/{id}/consents":     {scope: access.Send, right: access.OrderBroadcast, on: theBot},
	"GET /api/v1/bots/{id}/stance":          {scope: access.Read, right: access.ReadPeople, on: theBot},
	importRefusalsRoute:                     {scope: access.Send, right: access.OrderBroadcast, on: theBot},
	importConsentsRoute:                     {scope: access.Send, right: access.OrderBroadcast, on: theBot},
	exportRefusalsRoute:                     {scope: access.Read, right: access.ReadPeople, on: theBot},
	exportConsentsRoute:                     {scope: access.Read, right: access.ReadPeople, on: theBot},

	"POST /api/v1/schedules":             {scope: access.Send, right: access.OrderBroadcast, on: named(access.OfBot, "bot"), and: &demand{access.OrderBroadcast, named(access.OfAudience, "audience")}},
	"GET /api/v1/schedules":              {scope: access.Read, right: access.ListOwn, on: platform},
	"GET /api/v1/schedules/preview":      {scope: access.Read, right: access.SeePublic, on: platform},
	"GET /api/v1/schedules/{id}":         {scope: access.Read, right: access.ReadBroadcast, on: theSchedule},
	"PATCH /api/v1/schedules/{id}":       {scope: access.Send, right: access.OrderBroadcast, on: theSchedule},
	"DELETE /api/v1/schedules/{id}":      {scope: access.Send, right: access.OrderBroadcast, on: theSchedule},
	"POST /api/v1/schedules/{id}/pause":  {scope: access.Send, right: access.SteerBroadcast, on: theSchedule},
	"POST /api/v1/schedules/{id}/resume": {scope: access.Send, right: access.SteerBroadcast, on: theSchedule},
	"GET /api/v1/schedules/{id}/next":    {scope: access.Read, right: access.ReadBroadcast, on: theSchedule},
	"GET /api/v1/schedules/{id}/runs":    {scope: access.Read, right: access.ReadBroadcast, on: theSchedule},

	"GET /api/v1/broadcasts/{id}/cost":     {scope: access.Read, right: access.ReadBroadcast, on: theBroadcast},
	"GET /api/v1/broadcasts/{id}/postings": {scope: access.Read, right: access.ReadBroadcast, on: theBroadcast},
	"GET /api/v1/broadcasts/{id}/results":  {scope: access.Read, right: access.ReadPeople, on: theBroadcast},
	"GET /api/v1/broadcasts/{id}/people":   {scope: access.Read, right: access.ReadPeople, on: theBroadcast},
	"GET /api/v1/bots/{id}/messages":       {scope: access.Read, right: access.ReadPeople, on: theBot},

	"POST /api/v1/webhooks":                                   {scope: access.Admin, right: access.KeepBot, on: named(access.OfBot, "bot")},
	"GET /api/v1/webhooks":                                    {scope: access.Read, right: access.ListOwn, on: platform},
	"GET /api/v1/webhooks/{id}":                               {scope: access.Read, right: access.ReadBot, on: theWebhook},
	"PATCH /api/v1/webhooks/{id}":                             {scope: access.Admin, right: access.KeepBot, on: theWebhook},
	"DELETE /api/v1/webhooks/{id}":                            {scope: access.Admin, right: access.KeepBot, on: theWebhook},
	"POST /api/v1/webhooks/{id}/ping":                         {scope: access.Send, right: access.SteerBroadcast, on: theWebhook},
	"GET /api/v1/webhooks/{id}/deliveries":                    {scope: access.Read, right: access.ReadBot, on: theWebhook},
	"POST /api/v1/webhooks/{id}/deliveries/{delivery}/replay": {scope: access.Send, right: access.SteerBroadcast, on: theWebhook},

	"GET /api/v1/audit":        {scope: access.Read, right: access.ListOwn, on: platform},
	"GET /api/v1/audit/verify": {scope: access.Read, right: access.CheckAudit, on: platform},

	"GET /api/v1/queues":                  {scope: access.Read, right: access.KeepPlatform, on: platform},
	"PUT /api/v1/queues/{queue}/pause":    {scope: access.Admin, right: access.KeepPlatform, on: platform},
	"DELETE /api/v1/queues/{queue}/pause": {scope: access.Admin, right: access.KeepPlatform, on: platform},
	"GET /api/v1/dead-tasks":              {scope: access.Read, right: access.KeepPlatform, on: platform},
	"GET /api/v1/dead-tasks/groups":       {scope: access.Read, right: access.KeepPlatform, on: platform},
	"POST /api/v1/dead-tasks/retry":       {scope: access.Admin, right: access.KeepPlatform, on: platform},
	"POST /api/v1/dead-tasks/discard":     {scope: access.Admin, right: access.KeepPlatform, on: platform},

	"GET /api/v1/prices":  {scope: access.Read, right: access.SeePublic, on: platform},
	"POST /api/v1/prices": {scope: access.Admin, right: access.KeepPlatform, on: platform},
	"POST /api/v1/quote":  {scope: access.Read, right: access.QuoteWallet, on: named(access.OfWallet, "wallet"), and: &demand{access.ReadBot, named(access.OfBot, "bot")}},

	// Code written for Kakao has one key, so the scope of sending is that of looking it up.
	talkRoute:  {scope: access.Send, right: access.OrderBroadcast, on: theCalledBot, quiet: true},
	groupRoute: {scope: access.Send, right: access.OrderBroadcast, on: theCalledBot, quiet: true},
	taskRoute:  {scope: access.Send, right: access.ReadPeople, on: theTask},
}

// Needs tells what a route ("POST /api/v1/bots") asks of its caller: the scope of his token, empty
// where any will do, and a permission on the object that it is about. known is false for a route
// that is closed.
func Needs(route string) (scope, permission string, known bool) {
	g, known := routes[route]
	return string(g.scope), string(g.right), known && g.right != ""
}

// inBody reports whether a call names the object in its body, which is not read yet when a route
// is entered.
func (p place) inBody() (field string, is bool) { return strings.CutPrefix(p.in, "body.") }

// named returns the object that the path of a call names.
func (p place) named(r *http.Request) access.Object {
	field, _ := strings.CutPrefix(p.in, "path.")
	if field == "" {
		return access.Object{Kind: p.kind}
	}
	id := r.PathValue(field)
	if p.id != nil {
		id = p.id(id)
	}
	return access.Object{Kind: p.kind, ID: id}
}
