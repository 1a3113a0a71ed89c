//! The perpetual contracts of the settings.

use anyhow::anyhow;
use gateway_http::{ContractForm, NamedByContract};
use model::{AccountId, AssetTerms, ContractTerms, MarketId, MarketTerms};
use toml::Spanned;

use super::{Config, find_asset, line_of};

impl Config {
    /// The accounts that are insurance funds of contracts, in the order in which they are named, each once.
    pub fn funds(&self) -> Vec<&str> {
        let mut funds = Vec::new();
        for form in self.contracts.iter().map(Spanned::get_ref) {
            let fund = form.perpetual.fund.as_deref();
            funds.extend(fund.filter(|fund| !funds.contains(fund)));
        }
        funds
    }

    /// What an empty data directory begins with; `account` has the numbers of the funds.
    pub fn contracts(
        &self,
        account: &dyn Fn(&str) -> Option<AccountId>,
    ) -> anyhow::Result<Vec<(MarketTerms, ContractTerms)>> {
        let assets = self.assets()?;
        let forms = self.contracts.iter().map(Spanned::get_ref);
        forms.map(|form| self.contract_terms(form, &assets, account)).collect()
    }

    fn contract_terms(
        &self,
        form: &ContractForm,
        assets: &[AssetTerms],
        account: &dyn Fn(&str) -> Option<AccountId>,
    ) -> anyhow::Result<(MarketTerms, ContractTerms)> {
        let market = |name: &str| {
            let markets = (0..).map(MarketId).zip(&self.markets);
            markets.into_iter().find(|(_, market)| market.get_ref().name == name).map(|(id, _)| id)
        };
        let base = find_asset(assets, "base", &form.market.base)?;
        let quote = find_asset(assets, "quote", &form.market.quote)?;
        Ok(form.terms(base, quote, &NamedByContract { account, market: &market })?)
    }

    /// What one value alone does not tell.
    pub(super) fn check_contracts(&self, text: &str, assets: &[AssetTerms]) -> anyhow::Result<()> {
        for (index, contract) in self.contracts.iter().enumerate() {
            let form = contract.get_ref();
            let at = |problem: String| anyhow!("line {}: {problem}", line_of(text, contract.span().start));
            // Any name will do: the accounts are opened.
            self.contract_terms(form, assets, &|name| {
                model::AccountName::new(name).ok().map(|_| AccountId(1))
            })
            .map_err(|problem| at(problem.to_string()))?;
            let partition = self.partition_of(&form.market).map_err(at)?;
            let count = self.partitions.count;
            if partition.0 >= count {
                return Err(at(format!(
                    "partition = {partition}: there are {count} partitions, numbered from 0"
                )));
            }
            let name = &form.market.name;
            if self.contracts[..index].iter().any(|earlier| earlier.get_ref().market.name == *name) {
                return Err(at(format!("the contract {name} is listed twice")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, TEMPLATE};

    fn with_contract(contract: &str) -> Result<Config, String> {
        Config::parse(&format!("{TEMPLATE}\n[[contract]]\n{contract}")).map_err(|error| error.to_string())
    }

    const WELL: &str = "name = \"BTCUSDT\"\nbase = \"BTC\"\nquote = \"USDT\"\ntick_size = \"0.1\"\nlot_size = \"0.001\"\n\
        initial_price = \"60000\"\n";

    #[test]
    fn contracts_are_read_and_refused_with_their_line() {
        let config = with_contract(&format!("{WELL}[contract.perpetual]\nfund = \"insurance\"\n")).unwrap();
        assert_eq!(config.funds(), ["insurance"]);
        let terms = config.contracts(&|_| Some(model::AccountId(1))).unwrap();
        assert_eq!(terms[0].1.sources[0].market, Some(model::MarketId(0)), "the spot market of that name");

        let line = TEMPLATE.matches('\n').count() + 2;
        for (contract, problem) in [
            (WELL.to_owned(), "fund: must be the name of the account that is the insurance fund"),
            (
                format!("{WELL}partition = 7\n[contract.perpetual]\nfund = \"f\"\n"),
                "partition = 7: there are 1",
            ),
            (
                format!("{}[contract.perpetual]\nfund = \"f\"\n", WELL.replace("\"BTC\"", "\"XRP\"")),
                "base = \"XRP\" is no asset: add an [[asset]] of that name",
            ),
        ] {
            let error = with_contract(&contract).unwrap_err();
            assert!(error.starts_with(&format!("line {line}: {problem}")), "{error}");
        }
        let error = with_contract(&format!("{WELL}[contract.perpetual]\nfund = \"f\"\nleverage = 3\n"));
        assert!(error.unwrap_err().contains("unknown field `leverage`"));
    }
}
