"""The five recommenders: their data, training and evaluation. Only this package's training needs torch."""
